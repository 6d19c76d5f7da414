import type { Scorer } from "../scorer.js";

/** The latest tokens stay; with the forced first four this is StreamingLLM (arXiv:2309.17453). */
export const recency: Scorer = {
  name: "recency",
  key: "recency",
  score: (g, { positions }) => g.cast(positions, "float32"),
};
