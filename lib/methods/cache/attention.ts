import type { GraphBuilder } from "../../onnx/builder.js";
import type { Value } from "../../onnx/graph.js";
import { paid, smoothed } from "../scorers/paid.js";
import type { CacheScoring } from "./budget.js";
import type { CacheScorer, CacheScorerInput } from "./scorer.js";

/**
 * What the last `window` tokens pay to those before them (SnapKV, arXiv:2404.14469; with a window of one and all heads TOVA, arXiv:2401.06104), and how much that
 * varies among them (CAKE, arXiv:2503.12491).
 */
export function windowAttention({ window, kernel, pool, heads, shift }: Extract<CacheScoring, { kind: "window attention" }>): CacheScorer {
  const look = (g: GraphBuilder, { queries, keys, positions, sinks, layer, config }: CacheScorerInput) => {
    const [m, n] = [queries.shape[1]!, positions.shape[0]!];
    const at = m === n ? positions : g.slice(positions, 0, -window, Number.MAX_SAFE_INTEGER, m);
    return { weights: paid(g, { queries, at, keys, positions, sinks, layer, config }), before: g.less(g.range(n), g.sub(g.dim(n), window)) };
  };
  return {
    preference(g, input) {
      const { weights, before } = look(g, input);
      // Tokens of the window itself count as nothing in both.
      const shares = g.where(before, weights, 0);
      const dispersion = g.neg(g.reduceSum(g.mul(shares, g.log(g.add(shares, 1e-10))), [0, 1, 2, 3]));
      return g.concat([g.reshape(dispersion, [1]), g.reshape(g.reduceSum(variance(g, shares), [0, 1, 2]), [1])], 0, 2);
    },
    score(g, input) {
      const { positions, config: { kvHeads } } = input;
      const n = positions.shape[0]!;
      const { weights, before } = look(g, input);
      const mean = g.reduceMean(weights, [2]);
      const byQuery = shift === undefined ? mean : g.add(mean, g.mul(variance(g, weights), shift));
      // Neighbours within the window would lift the tokens before it: they count as nothing.
      const smooth = smoothed(g, g.where(before, byQuery, 0), kernel, pool);
      if (heads === "all") return g.expand(g.reshape(g.reduceMean(smooth, [0, 1]), [1, n]), [kvHeads, n]);
      return heads === "group sum" ? g.reduceSum(smooth, [1]) : g.reduceMean(smooth, [1]);
    },
  };
}

/** Over axis 2, as a sample's. */
function variance(g: GraphBuilder, x: Value): Value {
  const off = g.sub(x, g.reduceMean(x, [2], true));
  return g.div(g.reduceSum(g.mul(off, off), [2]), g.max(g.sub(g.cast(g.dim(x.shape[2]!), "float32"), 1), 1));
}

/** What all tokens pay together (H2O, arXiv:2306.14048), mean over the queries that share a key. */
export const accumulatedAttention: CacheScorer = {
  score(g, input) {
    const { queries, positions } = input;
    const n = positions.shape[0]!;
    const size = (part: number) => `${n}/${PARTS}.${part}`;
    const [parts, places] = [g.splitEvenly(queries, 1, PARTS, size), g.splitEvenly(positions, 0, PARTS, size)];
    return parts.map((part, i) => sumPaid(g, input, part, places[i]!)).reduce((a, b) => g.add(a, b));
  },
};

/** Groups of queries taken one after the other, so that not all scores are in memory at a time. */
const PARTS = 16;

function sumPaid(g: GraphBuilder, { keys, positions, sinks, layer, config }: CacheScorerInput, queries: Value, at: Value): Value {
  return g.reduceMean(g.reduceSum(paid(g, { queries, at, keys, positions, sinks, layer, config }), [2]), [1]);
}
