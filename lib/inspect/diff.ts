import type { Run } from "../runtime/run.js";
import { runLabel } from "./label.js";
import { requireSamePrompt } from "./shared.js";

/** What two selections of one prompt have in common. */
export interface Overlap {
  readonly a: number;
  readonly b: number;
  readonly both: number;
  /** Tokens kept by both over tokens kept by either, 0 to 1. */
  readonly jaccard: number;
}

export interface RunDiff {
  readonly labels: readonly [string, string];
  readonly promptLength: number;
  /** Original positions, ascending. */
  readonly both: Int32Array;
  readonly onlyA: Int32Array;
  readonly onlyB: Int32Array;
  readonly neither: Int32Array;
  /** Of what was kept in the end. */
  readonly overlap: Overlap;
  /** Stage by stage, as far as both runs have stages. */
  readonly stages: readonly (Overlap & { readonly stage: number; readonly afterLayers: readonly [number, number] })[];
}

/** Two presets or scorers on one prompt: which tokens both kept, which only one. @throws on different prompts */
export function diffRuns(a: Run, b: Run): RunDiff {
  requireSamePrompt(a, b);
  const n = a.ids.length;
  const [inA, inB] = [member(a.kept, n), member(b.kept, n)];
  const where = (keptByA: number, keptByB: number) => Int32Array.from({ length: n }, (_, i) => i).filter((i) => inA[i] === keptByA && inB[i] === keptByB);
  const stages = Math.min(a.stages.length, b.stages.length);
  return {
    labels: [runLabel(a), runLabel(b)],
    promptLength: n,
    both: where(1, 1),
    onlyA: where(1, 0),
    onlyB: where(0, 1),
    neither: where(0, 0),
    overlap: overlap(a.kept, b.kept, n),
    stages: Array.from({ length: stages }, (_, stage) => {
      const [left, right] = [a.stages[stage]!, b.stages[stage]!];
      return { stage, afterLayers: [left.afterLayer, right.afterLayer] as const, ...overlap(left.kept, right.kept, n) };
    }),
  };
}

function member(positions: Int32Array, n: number): Uint8Array {
  const set = new Uint8Array(n);
  for (const position of positions) set[position] = 1;
  return set;
}

function overlap(a: Int32Array, b: Int32Array, n: number): Overlap {
  const inB = member(b, n);
  const both = a.reduce((sum, position) => sum + inB[position]!, 0);
  return { a: a.length, b: b.length, both, jaccard: both / (a.length + b.length - both) };
}
