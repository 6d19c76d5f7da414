// AdaKV, arXiv:2407.11550: the heads of a layer share its budget, so that those whose attention is spread keep more than those that look at few tokens.
// Constants: each head keeps a fifth of an even share at least (safeguard 0.2: the paper, and kvpress 0.5.5, which masks what this cache does not hold). Scored as
// SnapKV and as ExpectedAttention are.
import { cacheMethod } from "./cache/method.js";
import { expectedAttention } from "./expected-attention.js";
import { snapkv } from "./snapkv.js";

const heads = { safeguard: 0.2 };

export const adakv = cacheMethod("adakv", { scoring: snapkv.cache!.scoring, heads });
export const adakvExpected = cacheMethod("adakv-expected", { scoring: expectedAttention.cache!.scoring, heads });
