// StreamingLLM, arXiv:2309.17453: the first tokens, on which attention rests, and the latest. Positions stay the original ones (the paper counts them within the cache).
// Constants: 4 first tokens, as in the paper.
import { cacheMethod } from "./cache/method.js";

export const streamingllm = cacheMethod("streamingllm", { scoring: { kind: "recency", sinks: 4 } });
