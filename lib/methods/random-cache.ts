// By chance: what any method must beat.
import { cacheMethod } from "./cache/method.js";

export const randomCache = cacheMethod("randomkv", { scoring: { kind: "random", seed: 0 } });
