// LazyLLM, arXiv:2407.14057: after some blocks the tokens that the last one looks at least go on no more, in the prompt and in every decoding step anew, over all tokens so
// far; one that fell earlier and is chosen now returns: blocks that have not computed it do so from the hidden state that it fell with, which an Aux Cache keeps, each at
// most once. The score is the paper's (section 4: what the last token pays to each, the mean over heads), chosen is a share of those present, the last token always.
// After which blocks and how many is chosen here, since public descriptions give no figures (pruning late costs less than early): 70 % of those present after blocks 12, 18 and
// 24 of 32; another share for all three after a colon (lazyllm:0.5). After each quarter of the depth instead, the embedded model found 2 of 12 pass keys in 1,024 tokens; it finds
// 11 as it is here and unpruned. That generated tokens are chosen among as those of the prompt are, and that one which returns looks
// at chosen tokens before it alone, is as in github.com/Adam-Mazur/Lazy-Llama.
import { checkedMethod } from "./method.js";

export const lazyllm = checkedMethod({
  name: "lazyllm",
  baseDepth: 32,
  stages: [11, 17, 23].map((afterBlock) => ({ afterBlock, ratio: 0.7 })),
  scorer: "last-attention",
  forced: { head: 0, tail: 1, tailShare: 0 },
  kvPolicy: "retain",
  revives: true,
});
