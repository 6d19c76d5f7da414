// TOVA, arXiv:2401.06104: what the last token pays, averaged over all heads of a layer, which keep the same tokens.
// The paper drops a token a step; after a prompt that comes to one choice by its last token, as in kvpress 0.5.5. The last token itself stays.
import { cacheMethod } from "./cache/method.js";

export const tova = cacheMethod("tova", { scoring: { kind: "window attention", window: 1, kernel: 1, pool: "mean", heads: "all" } });
