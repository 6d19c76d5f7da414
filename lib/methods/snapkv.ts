// SnapKV, arXiv:2404.14469: what the last tokens of the prompt look at is what the answer will look at.
// Constants: kvpress 0.5.5 (window 64, mean over 5 neighbours, mean over the queries that share a key). The paper's repository takes windows of 16 to 64 and the largest of 5 to 7 neighbours.
import { cacheMethod } from "./cache/method.js";

export const snapkv = cacheMethod("snapkv", { scoring: { kind: "window attention", window: 64, kernel: 5, pool: "mean", heads: "group mean" } });
