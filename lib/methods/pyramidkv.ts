// PyramidKV, arXiv:2406.02069: SnapKV's choice with budgets that fall from the first layer to the last.
// Constants: beta 20 as in github.com/Zefan-Cai/KVCache-Factory and kvpress 0.5.5; window and pooling as in its SnapKV.
import { cacheMethod } from "./cache/method.js";

export const pyramidkv = cacheMethod("pyramidkv", { scoring: { kind: "window attention", window: 64, kernel: 5, pool: "mean", heads: "group mean" }, layers: { pyramid: 20 } });
