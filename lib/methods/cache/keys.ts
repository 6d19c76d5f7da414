import type { CacheScorer } from "./scorer.js";

/** The smallest keys get most attention (Knorm, arXiv:2406.11430). */
export const keyNorm: CacheScorer = {
  score: (g, { keys, config, positions }) => g.neg(g.reshape(g.reduceL2(keys, [3]), [config.kvHeads, positions.shape[0]!])),
};

/** Keys that differ most from the mean direction of all (KeyDiff, arXiv:2504.15364): minus the cosine between them. */
export const keyDifference: CacheScorer = {
  score(g, { keys, config, positions }) {
    const unit = g.div(keys, g.max(g.reduceL2(keys, [3], true), 1e-12));
    const anchor = g.reduceMean(unit, [2], true);
    const direction = g.div(anchor, g.max(g.reduceL2(anchor, [3], true), 1e-8));
    return g.neg(g.reshape(g.reduceSum(g.mul(unit, direction), [3]), [config.kvHeads, positions.shape[0]!]));
  },
};
