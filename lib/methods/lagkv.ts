// LagKV, arXiv:2504.04704: no attention, but how tokens stand out against those that follow.
// Constants: parts of 128 tokens, 4 first tokens kept (the paper's, and kvpress 0.5.5).
import { cacheMethod } from "./cache/method.js";

export const lagkv = cacheMethod("lagkv", { scoring: { kind: "lag", sinks: 4, lag: 128 } });
