import { softcap } from "../../decoder/head.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import type { Value } from "../../onnx/graph.js";
import { smoothed } from "../scorers/paid.js";
import type { Redundancy } from "./budget.js";
import type { CacheScorer, CacheScorerInput } from "./scorer.js";

/** Groups of rows taken one after the other, so that not all cosines are in memory at a time. */
const PARTS = 16;

/** Attention of the window less likeness to other keys (R-KV, arXiv:2505.24133), after a prompt. `redundancyScores` in runtime/ has the same for a cache in memory. */
export function redundancy({ window, kernel, lambda, threshold }: Redundancy): CacheScorer {
  return {
    score(g, input) {
      const { keys, positions, config: { kvHeads } } = input;
      const n = positions.shape[0]!;
      const before = g.less(g.range(n), g.sub(g.dim(n), window));
      const attention = g.where(before, g.reduceMean(g.softmax(g.where(before, products(g, input), MASKED)), [1]), 0);
      const looked = g.reshape(smoothed(g, g.reshape(attention, [1, kvHeads, n]), kernel, "max"), [kvHeads, n]);
      return g.sub(g.mul(looked, lambda), g.mul(g.softmax(likeness(g, keys, n, threshold)), 1 - lambda));
    },
  };
}

/** Far below any product, and finite: where there is nothing before the window, nothing else is left. */
const MASKED = -1e30;

/** Products of the window's queries with all keys, the largest over the heads that share a key: `[kvHeads, m, n]`. */
function products(g: GraphBuilder, { queries, keys, config }: CacheScorerInput): Value {
  const { heads, kvHeads, headDim } = config;
  const [group, m, n] = [heads / kvHeads, queries.shape[1]!, keys.shape[2]!];
  const rows = typeof m === "number" ? group * m : `${group}*${m}`;
  const byHead = g.reshape(g.transpose(g.reshape(queries, [1, m, kvHeads, group, headDim]), [0, 2, 3, 1, 4]), [1, kvHeads, rows, headDim]);
  const all = softcap(g, g.matmul(byHead, keys, { transB: true, alpha: config.attentionScale }), config.attentionSoftcap);
  return g.reduceMax(g.reshape(all, [kvHeads, group, m, n]), [1]);
}

/** The mean cosine of each key with all, itself and what counts as its own repetition left out: `[kvHeads, n]`. */
function likeness(g: GraphBuilder, keys: Value, n: string | number, threshold: number): Value {
  const unit = g.div(keys, g.add(g.reduceL2(keys, [3], true), 1e-8));
  const places = g.range(n);
  const size = (part: number) => `alike.${n}/${PARTS}.${part}`;
  const [rows, numbers] = [g.splitEvenly(unit, 2, PARTS, size), g.splitEvenly(places, 0, PARTS, size)];
  const sums = rows.map((some, part) => {
    const r = some.shape[2]!;
    const cosines = g.squeeze(g.matmul(some, unit, { transB: true }), [0]);
    const others = g.where(g.equal(g.reshape(numbers[part]!, [r, 1]), places), 0, cosines);
    const column = g.cast(places, "float32");
    const latest = g.reduceMax(g.where(g.greater(others, threshold), column, 0), [2], true);
    return g.reduceSum(g.where(g.equal(column, latest), 0, others), [1]);
  });
  return g.div(sums.reduce((a, b) => g.add(a, b)), g.cast(g.dim(n), "float32"));
}
