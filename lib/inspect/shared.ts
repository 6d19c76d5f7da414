import type { KvLayer } from "../runtime/kv-cache.js";
import type { Run } from "../runtime/run.js";

/**
 * Slots of the prompt tokens (position below `n`) that one head of two layers holds in both.
 * Positions are ascending in every cache.
 */
export function sharedSlots(a: KvLayer, b: KvLayer, n: number, head: number): { a: number; b: number }[] {
  const pairs: { a: number; b: number }[] = [];
  const [left, right] = [a.headPositions(head), b.headPositions(head)];
  for (let i = 0, j = 0; i < left.length && j < right.length && left[i]! < n; ) {
    if (left[i]! === right[j]!) pairs.push({ a: i++, b: j++ });
    else if (left[i]! < right[j]!) i++;
    else j++;
  }
  return pairs;
}

/** @throws where two runs are not of one prompt and one model's shape */
export function requireSamePrompt(a: Run, b: Run): void {
  if (a.ids.length !== b.ids.length) throw new Error(`runs: prompt lengths ${a.ids.length} and ${b.ids.length} (must be runs of the same prompt)`);
  const at = a.ids.findIndex((id, i) => id !== b.ids[i]);
  if (at >= 0) throw new Error(`runs: token ids ${a.ids[at]} and ${b.ids[at]} at position ${at} (must be runs of the same prompt)`);
}

/** As `requireSamePrompt`, and both caches have the same shape. */
export function requireComparable(a: Run, b: Run): void {
  requireSamePrompt(a, b);
  const shape = ({ kv }: Run) => `${kv.layers.length} layers x ${kv.layers[0]?.kvHeads} heads x ${kv.layers[0]?.headDim}`;
  if (shape(a) !== shape(b)) throw new Error(`runs: caches of ${shape(a)} and ${shape(b)} (must be runs of the same model)`);
}
