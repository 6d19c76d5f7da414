import { crossEntropy } from "../evaluate/cross-entropy.js";

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

/** In descending order, the first of equal ones first; one pass, for few of many. */
function likeliest(logits: Float32Array, count: number): number[] {
  const best: number[] = [];
  for (let id = 0; id < logits.length; id++) {
    if (best.length === count && !(count > 0 && logits[id]! > logits[best[count - 1]!]!)) continue;
    let at = best.length;
    while (at > 0 && logits[best[at - 1]!]! < logits[id]!) at--;
    best.splice(at, 0, id);
    if (best.length > count) best.pop();
  }
  return best;
}
