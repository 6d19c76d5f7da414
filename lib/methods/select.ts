import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";

/** Largest finite float32: scores are clipped to it, so that only forced tokens are infinite. */
const FLOAT_MAX = 3.4028234663852886e38;

/** The counts of one stage as graph inputs, int64 `[1]` each. */
export interface StageCounts {
  readonly keep: Value;
  readonly head: Value;
  readonly tail: Value;
}

export function stageCounts(g: GraphBuilder, stage: number): StageCounts {
  const count = (name: string) => g.input(`stage.${stage}.${name}`, "int64", [1]);
  return { keep: count("keep"), head: count("head"), tail: count("tail") };
}

/**
 * Which of the tokens present stay: indices `[keep]` int64, ascending. The first `head` and last `tail` always,
 * then the highest scores, the earlier of equal ones first. A score that is not a number counts as lowest.
 * @param scores `[n]` float32
 * @param size the symbolic name of the kept count
 */
export function select(g: GraphBuilder, scores: Value, { keep, head, tail }: StageCounts, size: string): Value {
  const n = scores.shape[0]!;
  const index = g.range(n);
  const forced = g.or(g.less(index, head), g.greaterOrEqual(index, g.sub(g.dim(n), tail)));
  const finite = g.max(g.min(g.where(g.isNaN(scores), -Infinity, scores), FLOAT_MAX), -FLOAT_MAX);
  const [, chosen] = g.topK(g.where(forced, Infinity, finite), keep, size);
  const [, order] = g.topK(chosen, keep, size, { largest: false });
  return g.gather(chosen, order);
}
