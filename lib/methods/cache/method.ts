import { checkedMethod, type Method } from "../method.js";
import type { CacheBudget } from "./budget.js";

/** Half of the prompt's tokens: what the methods that cut down caches keep unless asked otherwise (`snapkv:0.25`, `snapkv:1024`). */
const HALF = { ratio: 0.5 };

/** A method that leaves the prompt whole and cuts down what is kept of it. */
export const cacheMethod = (name: string, cache: Omit<CacheBudget, "amount">): Method =>
  checkedMethod({ name, stages: [], baseDepth: 32, kvPolicy: "retain", cache: { amount: HALF, ...cache } });
