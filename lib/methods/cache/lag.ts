import type { GraphBuilder } from "../../onnx/builder.js";
import type { Value } from "../../onnx/graph.js";
import type { CacheScoring } from "./budget.js";
import type { CacheScorer } from "./scorer.js";

/**
 * How far a token's key and value stand out against the next part of `lag` tokens (LagKV, arXiv:2504.04704): each channel on the scale from that part's smallest
 * to its largest value, the standard deviation over channels, the softmax over the part, mean of keys' and values'; of that the rank within the part.
 * Forced tokens score 0: their places in the sequence are before and after the parts.
 */
export function lag({ sinks, lag: size }: Extract<CacheScoring, { kind: "lag" }>): CacheScorer {
  return {
    score(g, { keys, values, positions, config, layer }) {
      const { kvHeads, headDim } = config;
      const n = positions.shape[0]!;
      const judgedParts = `parts.${layer}`;
      // Tokens in whole parts, of which the last only judges.
      const whole = g.mul(g.div(g.sub(g.dim(n), sinks), size), size);
      const score = (x: Value) => {
        const after = g.slice(x, 2, sinks, Number.MAX_SAFE_INTEGER, `${n}-${sinks}`);
        const parts = g.reshape(sliceTo(g, after, whole, `whole.${layer}`), [kvHeads, `parts.all.${layer}`, size, headDim]);
        const [judged, by] = [g.slice(parts, 1, 0, -1, judgedParts), g.slice(parts, 1, 1, Number.MAX_SAFE_INTEGER, judgedParts)];
        const [low, high] = [g.neg(g.reduceMax(g.neg(by), [2], true)), g.reduceMax(by, [2], true)];
        const scaled = g.div(g.sub(judged, low), g.sub(high, low));
        const off = g.sub(scaled, g.reduceMean(scaled, [3], true));
        return g.softmax(g.sqrt(g.div(g.reduceSum(g.mul(off, off), [3]), headDim - 1)));
      };
      const both = g.div(g.add(score(keys), score(values)), 2);
      const k = g.constant("int64", [size]);
      const [, order] = g.topK(both, k, size, { largest: false });
      // The place of each token in that order: the inverse permutation.
      const [, rank] = g.topK(order, k, size, { largest: false });
      const ranks = g.reshape(g.cast(rank, "float32"), [kvHeads, `judged.${layer}`]);
      const rest = sliceFrom(g, g.slice(positions, 0, sinks, Number.MAX_SAFE_INTEGER, `${n}-${sinks}`), g.sub(whole, size), `rest.${layer}`);
      const unjudged = g.expand(g.constant("float32", [0], [1, 1]), [kvHeads, rest.shape[0]!]);
      const first = sinks > 0 ? [g.constant("float32", new Float32Array(kvHeads * sinks), [kvHeads, sinks])] : [];
      return g.reshape(g.concat([...first, ranks, unjudged], 1, `scored.${layer}`), [kvHeads, n]);
    },
  };
}

/** The first `end` rows of axis 2. @param end `[1]` int64 */
function sliceTo(g: GraphBuilder, x: Value, end: Value, size: string): Value {
  return g.node("Slice", [x, g.constant("int64", [0]), end, g.constant("int64", [2])], [{ dtype: x.dtype, shape: x.shape.map((dim, i) => (i === 2 ? size : dim)) }])[0]!;
}

/** All from `start` on. @param start `[1]` int64 */
function sliceFrom(g: GraphBuilder, x: Value, start: Value, size: string): Value {
  return g.node("Slice", [x, start, g.constant("int64", [Number.MAX_SAFE_INTEGER]), g.constant("int64", [0])], [{ dtype: x.dtype, shape: [size] }])[0]!;
}
