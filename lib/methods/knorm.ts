// Knorm, arXiv:2406.11430: keys of small norm get much attention and stay. Nothing to set.
import { cacheMethod } from "./cache/method.js";

export const knorm = cacheMethod("knorm", { scoring: { kind: "key norm" } });
