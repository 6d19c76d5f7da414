// FastKV, arXiv:2502.01068: one stage passes few tokens on to the later layers, apart from what each layer's cache keeps.
// Constants: github.com/dongwonjo/FastKV (layer 15 of 32 passes on 20 %, the window of 8 among them; caches keep 10 % of the prompt in every layer; mean over 7
// neighbours, sum over the queries that share a key).
import { checkedMethod } from "./method.js";

export const fastkv = checkedMethod({
  name: "fastkv",
  baseDepth: 32,
  stages: [{ afterBlock: 15, ratio: 0.2 }],
  scorer: "window:8:7",
  forced: { head: 0, tail: 8, tailShare: 0 },
  kvPolicy: "retain",
  cache: { amount: { ratio: 0.1 }, scoring: { kind: "window attention", window: 8, kernel: 7, pool: "mean", heads: "group sum" } },
});
