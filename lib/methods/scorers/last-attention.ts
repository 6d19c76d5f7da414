import type { Scorer } from "../scorer.js";
import { paid } from "./paid.js";

/** What the last token pays to each token in the block before the stage, the mean over heads (LazyLLM, arXiv:2407.14057). */
export const lastAttention: Scorer = {
  name: "last-attention",
  key: "last-attention",
  score(g, { queries, keys, positions, sinks, afterLayer: layer, config }) {
    const looked = paid(g, { queries: g.last(queries, 1), at: g.last(positions, 0), keys, positions, sinks: sinks ?? null, layer, config });
    return g.reshape(g.reduceMean(looked, [0, 1]), [positions.shape[0]!]);
  },
};
