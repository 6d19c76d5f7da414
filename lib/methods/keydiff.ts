// KeyDiff, arXiv:2504.15364: keys that point elsewhere than the mean of all stay. The paper works through the prompt in blocks; here, as in kvpress 0.5.5, once at its end.
import { cacheMethod } from "./cache/method.js";

export const keydiff = cacheMethod("keydiff", { scoring: { kind: "key difference" } });
