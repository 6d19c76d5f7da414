// PromptDistill, arXiv:2503.23274: after one block, the tokens that the last one's query is nearest to go on; every layer keeps the keys and values that it computed.
// Constants: github.com/declare-lab/PromptDistill (block 13 of 32, mean over 5 neighbours, the last token kept). How many tokens go on is there for its user to say;
// here 1,024 (another number: stages of your own with the scorer last-query:5).
import { checkedMethod } from "./method.js";

export const promptdistill = checkedMethod({
  name: "promptdistill",
  baseDepth: 32,
  stages: [{ afterBlock: 13, tokens: 1024 }],
  scorer: "last-query:5",
  forced: { head: 0, tail: 1, tailShare: 0 },
  kvPolicy: "retain",
});
