import { accumulatedAttention, windowAttention } from "./attention.js";
import type { CacheScoring } from "./budget.js";
import { expectedAttention } from "./expected.js";
import { keyDifference, keyNorm } from "./keys.js";
import { lag } from "./lag.js";
import { random, recency } from "./places.js";
import { redundancy } from "./redundancy.js";
import type { CacheScorer } from "./scorer.js";

/** The code of a way of scoring. */
export function cacheScorer(scoring: CacheScoring): CacheScorer {
  switch (scoring.kind) {
    case "window attention": return windowAttention(scoring);
    case "accumulated attention": return accumulatedAttention;
    case "expected attention": return expectedAttention(scoring);
    case "key norm": return keyNorm;
    case "key difference": return keyDifference;
    case "recency": return recency;
    case "lag": return lag(scoring);
    case "redundancy": return redundancy(scoring);
    case "reconstruction": throw new Error("cache scoring: reconstruction (the prompt is repeated for it once its cache is there: no part of its graph)");
    case "random": return random(scoring);
  }
}
