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
  return g.highest(withForced(g, scores, head, tail), keep, size);
}

/** Scores along the last axis, infinite where a token stays whatever it scores. */
function withForced(g: GraphBuilder, scores: Value, head: Value, tail: Value): Value {
  const n = scores.shape.at(-1)!;
  const index = g.range(n);
  const forced = g.or(g.less(index, head), g.greaterOrEqual(index, g.sub(g.dim(n), tail)));
  const finite = g.max(g.min(g.where(g.isNaN(scores), -Infinity, scores), FLOAT_MAX), -FLOAT_MAX);
  return g.where(forced, Infinity, finite);
}

/** The counts of one layer's cache as graph inputs, int64 `[1]` each; `safe` only where heads share a budget. */
export interface CacheCounts extends StageCounts {
  readonly safe: Value | null;
}

export function cacheCounts(g: GraphBuilder, layer: number, byHead: boolean): CacheCounts {
  const count = (name: string) => g.input(`cache.${layer}.${name}`, "int64", [1]);
  return { keep: count("keep"), head: count("head"), tail: count("tail"), safe: byHead ? count("safe") : null };
}

/**
 * Which tokens each head keeps: `head index * n + row` of each, int64, ascending. All heads the same number, or, with `safe`, so many of its own best and of the rest
 * the highest scores of all heads together, `kvHeads * keep` in all.
 * @param scores `[kvHeads, n]` float32
 * @returns `[kvHeads * keep]`, called `size`
 */
export function selectByHead(g: GraphBuilder, scores: Value, { keep, head, tail, safe }: CacheCounts, size: string): Value {
  const [kvHeads, n] = [scores.shape[0] as number, scores.shape[1]!];
  const forced = withForced(g, scores, head, tail);
  if (!safe) {
    const rows = g.highest(forced, keep, `${size}.each`);
    const start = g.mul(g.constant("int64", Array.from({ length: kvHeads }, (_, i) => i), [kvHeads, 1]), g.dim(n));
    return g.reshape(g.add(rows, start), [size]);
  }
  const best = g.highest(forced, safe, `${size}.safe`);
  const zeros = g.expand(g.constant("float32", [0], [1, 1]), [kvHeads, n]);
  const ones = g.expand(g.constant("float32", [1], [1, 1]), [kvHeads, `${size}.safe`]);
  const all = g.where(g.greater(g.scatterAdd(zeros, best, ones, 1), 0), Infinity, forced);
  const total = g.mul(keep, kvHeads);
  return g.highest(g.reshape(all, [`${n}*heads`]), total, size);
}
