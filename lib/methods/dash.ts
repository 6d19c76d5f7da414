// DASH, arXiv:2604.18103: tokens to whose hidden states a block's attention adds little have settled, and go on no more from there.
// The norm of what attention adds, as in github.com/verach3n/DASH. Where it stands and how many stay is chosen here (after block 15 of 32, half), as are the tokens at both
// ends that always stay: the paper sets them by model.
import { checkedMethod } from "./method.js";

export const dash = checkedMethod({
  name: "dash",
  baseDepth: 32,
  stages: [{ afterBlock: 15, ratio: 0.5 }],
  scorer: "update",
  forced: { head: 4, tail: 32, tailShare: 0 },
  kvPolicy: "retain",
});
