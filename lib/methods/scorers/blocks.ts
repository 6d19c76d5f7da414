import type { Scorer } from "../scorer.js";

/**
 * Blocks of `size` tokens stay or fall together: each token scores the mean over its block by another scorer. Blocks are counted from the first token present; the last
 * may be shorter, and where a stage's count is no whole number of blocks, the last that stays is parted.
 */
export function blockScorer(size: number, inner: Scorer): Scorer {
  return {
    name: "blocks",
    key: `blocks:${size}:${inner.key}`,
    score(g, input) {
      const scores = inner.score(g, input);
      const n = scores.shape[0]!;
      const block = g.div(g.range(n), size);
      const zeros = g.mul(scores, 0);
      const total = g.scatterAdd(zeros, block, scores, 0);
      const count = g.scatterAdd(zeros, block, g.add(zeros, 1), 0);
      return g.gather(g.div(total, g.max(count, 1)), block);
    },
  };
}
