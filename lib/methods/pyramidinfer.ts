// PyramidInfer, arXiv:2405.12532: after every block some tokens go on no more, by what the latest fifth of the prompt looks at; each layer's cache keeps what it computed.
// Constants: github.com/mutonix/pyramidinfer, llama2_7b.json (the latest fifth and one more token are never dropped, nor the first 4; of the others 90 % stay after the
// last of 32 blocks and more before, by a cosine; the last of those that look count 1.2 times the first; below 64 tokens nothing goes). What it does while decoding is left out.
import { checkedMethod } from "./method.js";

const DEPTH = 32;
const [LEAST, LATEST, FEWEST] = [0.9, 1.2, 64];

export const pyramidinfer = checkedMethod({
  name: "pyramidinfer",
  baseDepth: DEPTH,
  // After block 0 the cosine keeps all; after the last block nothing is left to compute.
  stages: Array.from({ length: DEPTH - 2 }, (_, i) => i + 1).map((afterBlock) => ({ afterBlock, ratio: ((1 - LEAST) * (Math.cos((Math.PI * afterBlock) / DEPTH) + 1)) / 2 + LEAST })),
  scorer: `recent:${LATEST}`,
  forced: { head: 4, tail: 1, tailShare: 0.2, tailOf: "prompt", apart: true, fewest: FEWEST },
  kvPolicy: "retain",
});
