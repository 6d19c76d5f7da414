import type { Run } from "../runtime/run.js";
import { runLabel } from "./label.js";

/** KV lengths of several runs, read off their caches. */
export interface KvLengths {
  readonly layers: number;
  readonly runs: readonly { readonly label: string; readonly promptLength: number; readonly lengths: readonly number[]; readonly bytes: number }[];
}

/** @throws on no run, or runs of models of different depth */
export function kvLengths(runs: readonly Run[]): KvLengths {
  if (runs.length === 0) throw new Error("runs: 0 (must be at least one)");
  const layers = runs[0]!.kv.layers.length;
  const other = runs.find(({ kv }) => kv.layers.length !== layers);
  if (other) throw new Error(`runs: ${layers} and ${other.kv.layers.length} layers (must be runs of the same model)`);
  return { layers, runs: runs.map((run) => ({ label: runLabel(run), promptLength: run.ids.length, lengths: run.kv.lengths, bytes: run.kv.bytes })) };
}
