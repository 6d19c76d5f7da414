import type { Scorer } from "../scorer.js";

/** The Euclidean norm of a token's hidden state. */
export const norm: Scorer = {
  name: "norm",
  key: "norm",
  score: (g, { hidden }) => g.reshape(g.reduceL2(hidden, [2]), [hidden.shape[1]!]),
};
