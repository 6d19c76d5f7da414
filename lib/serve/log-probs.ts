import { crossEntropy } from "../evaluate/cross-entropy.js";
import { likeliest } from "../runtime/likeliest.js";

/** Log-probability of a token, natural logarithm. */
export interface LogProb {
  readonly id: number;
  readonly logprob: number;
}

/** Of the token that came, and of the likeliest ones at its place. */
export interface TokenLogProbs extends LogProb {
  readonly top: readonly LogProb[];
}

/** @param logits `[vocabulary]`, before this token @param count likeliest tokens to name */
export function logProbs(logits: Float32Array, id: number, count: number): TokenLogProbs {
  const norm = logits[id]! + crossEntropy(logits, id);
  const top = likeliest(logits, count).map((each) => ({ id: each, logprob: logits[each]! - norm }));
  return { id, logprob: logits[id]! - norm, top };
}
