// R-KV, arXiv:2505.24133, made for long answers: tokens that are looked at stay, those whose keys repeat others go; after the prompt, and again while the answer grows.
// Constants: github.com/Zefan-Cai/R-KV, rkv/compression/r1_kv.py (the last 8 tokens look and stay, the largest of 7 neighbours, attention weighs 0.07 and likeness the
// rest, keys alike above a cosine of 0.5, a cut every 128 tokens). There a budget is a number of tokens: `rkv:512`.
import type { DecodingBudget } from "./cache/budget.js";
import { cacheMethod } from "./cache/method.js";
import { checkedMethod } from "./method.js";

const scoring = { kind: "redundancy", window: 8, kernel: 7, lambda: 0.07, threshold: 0.5 } as const satisfies DecodingBudget["scoring"];
const afterPrompt = cacheMethod("rkv", { scoring });

export const rkv = checkedMethod({ ...afterPrompt, decoding: { amount: afterPrompt.cache!.amount, every: 128, scoring } });
