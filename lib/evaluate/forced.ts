import type { Run } from "../runtime/run.js";
import { crossEntropy } from "./cross-entropy.js";

/**
 * Loss of each token of a continuation given those before it, nats: one pass over all of them.
 * The run grows by all of them but the last: fork it first to keep it.
 */
export async function forcedLosses(run: Run, continuation: readonly number[]): Promise<number[]> {
  if (continuation.length === 0) throw new Error("continuation: 0 tokens (at least one is needed)");
  const losses = [crossEntropy(run.logits, continuation[0]!)];
  if (continuation.length === 1) return losses;
  const logits = await run.extend(continuation.slice(0, -1));
  const size = logits.length / (continuation.length - 1);
  for (let i = 1; i < continuation.length; i++) losses.push(crossEntropy(logits.subarray((i - 1) * size, i * size), continuation[i]!));
  return losses;
}

export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
