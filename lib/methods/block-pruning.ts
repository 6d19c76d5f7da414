// Blocks of tokens fall together in the middle of the model, after SlimInfer, arXiv:2508.06447, whose idea it is: the text of blocks stays whole, and information of
// tokens that fall has spread by then. Not SlimInfer itself: how that scores units of blocks was not to be had, so a block's score here is the mean of what the last 32 tokens look at.
// Constants, chosen here: blocks of 64, half of the tokens after block 10 and half of those after block 20 of 32, one block at each end always.
import { checkedMethod } from "./method.js";

export const blockPruning = checkedMethod({
  name: "block-pruning",
  baseDepth: 32,
  stages: [{ afterBlock: 10, ratio: 0.5 }, { afterBlock: 20, ratio: 0.5 }],
  scorer: "blocks:64:window:32:1",
  forced: { head: 64, tail: 64, tailShare: 0 },
  kvPolicy: "retain",
});
