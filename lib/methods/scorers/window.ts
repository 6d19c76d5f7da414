import type { Scorer } from "../scorer.js";
import { paid, smoothed } from "./paid.js";

/**
 * What the last `window` tokens pay to each token before them in the block before the stage, smoothed over `kernel` neighbours, summed over them and over all heads
 * (the token selection of FastKV, arXiv:2502.01068). The window's own tokens score nothing: whoever uses it forces them.
 */
export function windowScorer(window: number, kernel: number): Scorer {
  return {
    name: "window",
    key: `window:${window}:${kernel}`,
    score(g, { queries, keys, positions, sinks, stage, afterLayer: layer, config }) {
      const n = positions.shape[0]!;
      const observers = `window.${stage}`;
      const last = g.slice(queries, 1, -window, Number.MAX_SAFE_INTEGER, observers);
      const at = g.slice(positions, 0, -window, Number.MAX_SAFE_INTEGER, observers);
      const byQuery = g.reduceSum(paid(g, { queries: last, at, keys, positions, sinks: sinks ?? null, layer, config }), [2]);
      const before = g.less(g.range(n), g.sub(g.dim(n), window));
      return g.reshape(g.reduceSum(smoothed(g, g.where(before, byQuery, 0), kernel, "mean"), [0, 1]), [n]);
    },
  };
}
