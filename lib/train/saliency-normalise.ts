import type { SaliencyTarget } from "../decoder/saliency.js";

/** Magnitudes below this share of the sequence's largest count as that: what vanished in float32 has no logarithm. */
const FLOOR = 1e-6;

/**
 * Saliency made comparable between sequences and blocks: mean 0 and deviation 1 over the prompt's tokens.
 * Magnitudes (`gradnorm`, `abs`) are heavy-tailed over many powers of ten, so their logarithms are taken, floored at
 * 1e-6 of the largest; `signed` is taken as it is. Where all are equal the result is 0. Always finite.
 * @param values one number a token, `[n]` @param promptLength how many of them are the prompt's
 * @returns `[n]`, the response's tokens on the same scale
 */
export function normaliseSaliency(values: Float32Array, promptLength: number, target: SaliencyTarget): Float32Array {
  const scaled = target === "signed" ? Float64Array.from(values) : logarithms(values, promptLength);
  const prompt = scaled.subarray(0, promptLength);
  const mean = prompt.reduce((sum, x) => sum + x, 0) / promptLength;
  const deviation = Math.sqrt(prompt.reduce((sum, x) => sum + (x - mean) ** 2, 0) / promptLength);
  return Float32Array.from(scaled, (x) => (deviation > 0 ? (x - mean) / deviation : 0));
}

function logarithms(values: Float32Array, promptLength: number): Float64Array {
  const largest = values.subarray(0, promptLength).reduce((a, b) => Math.max(a, b), 0);
  return Float64Array.from(values, (value) => (largest > 0 ? Math.log(Math.max(value / largest, FLOOR)) : 0));
}
