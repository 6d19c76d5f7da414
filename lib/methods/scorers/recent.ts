import type { GraphBuilder } from "../../onnx/builder.js";
import type { Value } from "../../onnx/graph.js";
import type { Scorer } from "../scorer.js";
import { paid } from "./paid.js";

/** Groups of queries taken one after the other, so that not all scores are in memory at a time. */
const PARTS = 16;

/**
 * What the tokens at the end that stay in any case pay to each token, the mean over heads and them, each weighted by its place, from 1 for the first of them to
 * `latest` for the last (PyramidInfer, arXiv:2405.12532).
 */
export function recentScorer(latest: number): Scorer {
  return {
    name: "recent",
    key: `recent:${latest}`,
    score(g, { queries, keys, positions, tail, sinks, stage, afterLayer: layer, config }) {
      const n = positions.shape[0]!;
      const size = `recent.${stage}`;
      const [last, at] = [from(g, queries, 1, g.neg(tail), size), from(g, positions, 0, g.neg(tail), size)];
      const count = g.cast(tail, "float32");
      const weights = g.add(g.mul(g.div(g.cast(g.range(size), "float32"), g.max(g.sub(count, 1), 1)), latest - 1), 1);
      const split = (x: Value, axis: number) => g.splitEvenly(x, axis, PARTS, (part) => `${size}/${PARTS}.${part}`);
      const [parts, places, shares] = [split(last, 1), split(at, 0), split(weights, 0)];
      const sums = parts.map((part, i) => {
        const m = places[i]!.shape[0]!;
        const looked = g.reduceMean(paid(g, { queries: part, at: places[i]!, keys, positions, sinks: sinks ?? null, layer, config }), [0, 1]);
        return g.reduceSum(g.mul(looked, g.reshape(shares[i]!, [m, 1])), [0]);
      });
      return g.reshape(g.div(sums.reduce((a, b) => g.add(a, b)), count), [n]);
    },
  };
}

/** All of an axis from `start` on. @param start `[1]` int64 */
function from(g: GraphBuilder, x: Value, axis: number, start: Value, size: string): Value {
  const shape = x.shape.map((dim, i) => (i === axis ? size : dim));
  return g.node("Slice", [x, start, g.constant("int64", [Number.MAX_SAFE_INTEGER]), g.constant("int64", [axis])], [{ dtype: x.dtype, shape }])[0]!;
}
