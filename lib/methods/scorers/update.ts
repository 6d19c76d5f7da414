import type { Scorer } from "../scorer.js";

/** The Euclidean norm of what attention adds to a token's hidden state in the block before the stage: tokens that have settled get little (DASH, arXiv:2604.18103). */
export const update: Scorer = {
  name: "update",
  key: "update",
  score: (g, { update: added }) => g.reshape(g.reduceL2(added, [2]), [added.shape[1]!]),
};
