import type { Observation } from "../runtime/decoder.js";
import type { Run } from "../runtime/run.js";
import { greedy } from "../runtime/sampler.js";
import { runLabel } from "./label.js";

/** Tokens at the start of the prompt that attention falls back on (arXiv:2309.17453). */
export const SINKS = 4;

/** Attention that generated tokens pay; shares of 1, the mean over heads. */
export interface AttentionPaid {
  readonly label: string;
  readonly promptLength: number;
  /** Number of generated tokens observed. */
  readonly steps: number;
  /** To each prompt position, the mean over steps; 0 where the layer does not hold it. `[layers][n]` */
  readonly byLayer: readonly Float32Array[];
  /** To each prompt position at each step, the mean over layers. `[steps][n]` */
  readonly byStep: readonly Float32Array[];
  /** Where each layer's attention goes, the mean over steps; the three add up to 1. */
  readonly groups: readonly { readonly layer: number; readonly sinks: number; readonly prompt: number; readonly generated: number }[];
}

/** Adds up attention over decode steps of one token each. */
export class AttentionSum {
  private readonly layers: Float32Array[];
  private readonly rows: Float32Array[] = [];
  private readonly groups: { sinks: number; prompt: number; generated: number }[];

  constructor(private readonly run: Run) {
    this.layers = run.kv.layers.map(() => new Float32Array(run.ids.length));
    this.groups = run.kv.layers.map(() => ({ sinks: 0, prompt: 0, generated: 0 }));
  }

  /** @param observed the step that `run` has just made */
  add(observed: Observation): void {
    const n = this.run.ids.length;
    const row = new Float32Array(n);
    observed.attention.forEach((mean, l) => {
      const layer = this.run.kv.layer(l);
      const group = this.groups[l]!;
      const add = (paid: Float32Array, positions: Int32Array, weight: number) => {
        for (let slot = 0; slot < paid.length; slot++) {
          const position = positions[slot]!;
          const share = weight * paid[slot]!;
          if (position >= n) group.generated += share;
          else {
            group[position < SINKS ? "sinks" : "prompt"] += share;
            this.layers[l]![position]! += share;
            row[position]! += share / observed.attention.length;
          }
        }
      };
      if (layer.uniform) add(mean, layer.positions, 1);
      else observed.byHead[l]!.forEach((paid, head) => add(paid, layer.headPositions(head), 1 / layer.kvHeads));
    });
    this.rows.push(row);
  }

  result(): AttentionPaid {
    const steps = this.rows.length;
    return {
      label: runLabel(this.run),
      promptLength: this.run.ids.length,
      steps,
      byLayer: this.layers.map((sum) => sum.map((share) => share / steps)),
      byStep: this.rows,
      groups: this.groups.map(({ sinks, prompt, generated }, layer) => ({ layer, sinks: sinks / steps, prompt: prompt / steps, generated: generated / steps })),
    };
  }
}

/**
 * Generates greedily from a fork of the run and adds up where the new tokens look. Computed on demand.
 * @param tokens to generate; default 16
 */
export async function attentionPaid(run: Run, { tokens = 16 } = {}): Promise<AttentionPaid> {
  requireTokens(tokens);
  const fork = run.fork();
  const sum = new AttentionSum(fork);
  for (let step = 0; step < tokens; step++) sum.add(await fork.observe([greedy(fork.logits)]));
  fork.dispose();
  return sum.result();
}

/**
 * Generates greedily from a fork of the run, and how much the new tokens look at each token of the prompt, head by head of keys and values.
 * @returns their ids; shares of 1, the mean over steps and the queries that share a head, 0 where the head does not hold it: `[layers][kvHeads][n]`
 */
export async function attentionByHead(run: Run, { tokens = 16 } = {}): Promise<{ readonly ids: readonly number[]; readonly paid: readonly (readonly Float32Array[])[] }> {
  requireTokens(tokens);
  const fork = run.fork();
  const paid = run.kv.layers.map(({ kvHeads }) => Array.from({ length: kvHeads }, () => new Float32Array(run.ids.length)));
  const ids: number[] = [];
  for (let step = 0; step < tokens; step++) {
    ids.push(greedy(fork.logits));
    const { byHead } = await fork.observe([ids.at(-1)!]);
    for (const [l, heads] of byHead.entries()) {
      for (const [head, shares] of heads.entries()) {
        fork.kv.layer(l).headPositions(head).forEach((position, slot) => {
          if (position < run.ids.length) paid[l]![head]![position]! += shares[slot]! / tokens;
        });
      }
    }
  }
  fork.dispose();
  return { ids, paid };
}

export function requireTokens(tokens: number): void {
  if (!Number.isSafeInteger(tokens) || tokens < 1) throw new Error(`tokens: ${tokens} (must be a positive integer)`);
}
