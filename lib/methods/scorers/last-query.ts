import type { Scorer } from "../scorer.js";
import { smoothed } from "./paid.js";

/**
 * The product of the last token's query and each key in the block before the stage, before any softmax, the mean over heads, smoothed over `kernel` neighbours
 * (PromptDistill, arXiv:2503.23274; GemFilter, arXiv:2409.17422, takes their sum).
 * @param own the last token's product with its own key counts; else it counts as nothing
 */
export function lastQueryScorer(kernel: number, own = false): Scorer {
  return {
    name: "last-query",
    key: `last-query:${kernel}${own ? ":own" : ""}`,
    score(g, { queries, keys, positions, config }) {
      const { heads, kvHeads, headDim, attentionScale } = config;
      const [n, group] = [positions.shape[0]!, heads / kvHeads];
      const last = g.reshape(g.last(queries, 1), [1, kvHeads, group, headDim]);
      const products = g.reshape(g.matmul(last, keys, { transB: true, alpha: attentionScale }), [kvHeads, group, n]);
      const mean = g.reshape(g.reduceMean(products, [0, 1]), [1, 1, n]);
      const counted = own ? mean : g.where(g.less(g.range(n), g.sub(g.dim(n), 1)), mean, 0);
      return g.reshape(smoothed(g, counted, kernel, "mean"), [n]);
    },
  };
}
