// GemFilter, arXiv:2409.17422: the first blocks choose tokens, and the prompt starts anew, from block 0 and at positions of its own, with these alone.
// Constants: github.com/SalesforceAIResearch/GemFilter (block 13 of Llama-3.1-8B's 32, the last query's products with all keys summed over heads, mean over 5
// neighbours, 1,024 tokens; nothing is forced, the last token has to win its place too).
import { checkedMethod } from "./method.js";

export const gemfilter = checkedMethod({
  name: "gemfilter",
  baseDepth: 32,
  stages: [{ afterBlock: 13, tokens: 1024 }],
  scorer: "last-query:5:own",
  forced: { head: 0, tail: 0, tailShare: 0 },
  kvPolicy: "evict",
  restart: true,
});
