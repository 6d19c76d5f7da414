// Budgets that hold while the answer grows: after the prompt as h2o, tova and streamingllm, and again every 16 generated tokens (theirs is every one: each cut costs
// time here, and between two the cache grows by no more than 16).
import { cacheMethod } from "./cache/method.js";
import { checkedMethod, type Method } from "./method.js";
import type { DecodingBudget } from "./cache/budget.js";
import { h2o } from "./h2o.js";
import { streamingllm } from "./streamingllm.js";
import { tova } from "./tova.js";

const EVERY = 16;

const throughout = ({ name, cache }: Method, scoring: DecodingBudget["scoring"]): Method =>
  checkedMethod({ ...cacheMethod(`${name}-decoding`, { scoring: cache!.scoring }), decoding: { amount: cache!.amount, every: EVERY, scoring } });

/** H2O, arXiv:2306.14048: attention adds up over prompt and answer. */
export const h2oDecoding = throughout(h2o, { kind: "accumulated attention", recent: 0.5 });
/** TOVA, arXiv:2401.06104. */
export const tovaDecoding = throughout(tova, { kind: "last attention" });
/** StreamingLLM, arXiv:2309.17453. */
export const streamingDecoding = throughout(streamingllm, { kind: "recency", sinks: 4 });
