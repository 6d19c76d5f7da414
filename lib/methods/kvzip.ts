// KVzip, arXiv:2505.23416: what a model looks at that repeats its prompt is what any question may need. Slow: the prompt goes through the model a second time, against
// its whole cache. An upper bound for methods that choose without knowing the question.
// Constants: kvpress 0.5.5 (parts of 2,048 tokens, 4 first tokens kept, the largest attention over queries and group, all heads of all layers share one budget; kvpress
// masks what this cache does not hold).
import { cacheMethod } from "./cache/method.js";

export const kvzip = cacheMethod("kvzip", { scoring: { kind: "reconstruction", chunk: 2048, sinks: 4 }, heads: { safeguard: 0, of: "model" } });
