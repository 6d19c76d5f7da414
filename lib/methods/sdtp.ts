// Saliency-driven Dynamic Token Pruning, arXiv:2504.04514v2, and the shapes of it that are measured against each other.
// A stage drops the least salient of the tokens present after a block; which these are, trained modules say (scorer `learned`).
import { checkedMethod, defaultKvPolicy, type Method } from "./method.js";

/** The paper's depth (Mistral-7B, Llama-2-7B) and that of its Python implementation (Qwen2-7B). */
const PAPER_DEPTH = 32;
const CASCADE_DEPTH = 28;

const method = (name: string, baseDepth: number, afterBlocks: readonly number[], ratio: number): Method =>
  checkedMethod({ name, stages: afterBlocks.map((afterBlock) => ({ afterBlock, ratio })), baseDepth, kvPolicy: defaultKvPolicy(afterBlocks.length) });

/** One early stage (figure 4: best from about block 4 on). */
export const keep = (name: string, ratio: number): Method => method(name, PAPER_DEPTH, [4], ratio);

/** The Python implementation's eight stages, each keeping the ratio of what is present. */
export const cascade = (name: string, ratio: number): Method => method(name, CASCADE_DEPTH, [4, 7, 10, 13, 16, 19, 22, 25], ratio);

/** The shipped presets. `sdtp`: the paper's ten stages. `sdtp-low`: five stages; the paper gives the number, not the places. */
export const presets = Object.freeze({
  baseline: method("baseline", PAPER_DEPTH, [], 1),
  keep09: keep("keep09", 0.9),
  keep08: keep("keep08", 0.8),
  keep07: keep("keep07", 0.7),
  sdtp: method("sdtp", PAPER_DEPTH, [4, 7, 10, 13, 16, 19, 22, 25, 28, 31], 0.9),
  "sdtp-low": method("sdtp-low", PAPER_DEPTH, [4, 10, 16, 22, 28], 0.9),
  cascade09: cascade("cascade09", 0.9),
  cascade08: cascade("cascade08", 0.8),
  cascade07: cascade("cascade07", 0.7),
});

/** Names of the shipped presets. */
export type PresetName = keyof typeof presets;
