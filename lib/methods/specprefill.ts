// SpecPrefill, arXiv:2502.02789: a small model with the same tokenizer reads the prompt and a few tokens further; what those look at in it is all that the large one gets
// of the prompt, at the positions it had.
// Constants: github.com/Jingyu6/speculative_prefill (config_p1_full_lah8.yaml: 8 tokens ahead, mean over 13 neighbours, chunks of 32 tokens, a tenth of the chunks; of each
// query's softmax over the prompt the largest over layers and heads, their mean over the tokens ahead). There the last chunk has to win its place as others do; here it
// always stays: with it the question's end, and a number of tokens that is known beforehand.
import { checkedMethod } from "./method.js";

export const specprefill = checkedMethod({
  name: "specprefill",
  baseDepth: 32,
  stages: [{ afterBlock: -1, ratio: 0.1 }],
  kvPolicy: "evict",
  speculation: { lookahead: 8, kernel: 13, chunk: 32 },
});
