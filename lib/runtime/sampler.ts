import { Random } from "../random.js";
import { likeliest } from "./likeliest.js";

export interface SamplingOptions {
  /** 0 (default): greedy, the likeliest token; above: softmax temperature. */
  readonly temperature?: number;
  /** Sample among this many likeliest tokens only. */
  readonly topK?: number;
  /** Sample among the likeliest tokens that together have at least this probability. */
  readonly topP?: number;
  /** The same seed gives the same tokens; default 0. */
  readonly seed?: number;
}

/** Chooses a token from logits `[vocabulary]`. */
export type Sampler = (logits: Float32Array) => number;

/** @throws on values out of range */
export function sampler({ temperature = 0, topK, topP, seed = 0 }: SamplingOptions = {}): Sampler {
  if (!(temperature >= 0 && Number.isFinite(temperature))) throw new Error(`temperature: ${temperature} (must be 0 or more)`);
  if (topK !== undefined && !(Number.isInteger(topK) && topK > 0)) throw new Error(`top-k: ${topK} (must be a positive integer)`);
  if (topP !== undefined && !(topP > 0 && topP <= 1)) throw new Error(`top-p: ${topP} (must be above 0 and at most 1)`);
  if (temperature === 0) return greedy;
  const random = new Random(seed);
  return (logits) => {
    const candidates = likeliest(logits, topK ?? logits.length);
    const best = logits[candidates[0]!]!;
    const weights = candidates.map((id) => Math.exp((logits[id]! - best) / temperature));
    const end = nucleus(weights, topP ?? 1);
    let left = random.next() * weights.slice(0, end).reduce((a, b) => a + b, 0);
    for (let i = 0; i < end; i++) {
      left -= weights[i]!;
      if (left < 0) return candidates[i]!;
    }
    return candidates[end - 1]!;
  };
}

/** The likeliest token, the first of equal ones. */
export function greedy(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id;
  return best;
}

/** How many of the weights (descending) are needed to reach the share `p` of their sum. */
function nucleus(weights: readonly number[], p: number): number {
  const target = p * weights.reduce((a, b) => a + b, 0);
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    sum += weights[i]!;
    if (sum >= target) return i + 1;
  }
  return weights.length;
}
