import type { Redundancy } from "../methods/cache/budget.js";

/**
 * The scores of R-KV (arXiv:2505.24133; `redundancy` in methods/ has them for prompts) for one head of a cache: what the last queries look at, less how much a key is like others.
 * @param keys `[n, headDim]` @param queries of the last tokens, `[window][heads that share the key]`, each `[headDim]`
 * @returns `[n]`, of which those of the window itself say nothing
 */
export function redundancyScores(keys: Float32Array, headDim: number, queries: readonly (readonly Float32Array[])[], scale: number, { window, kernel, lambda, threshold }: Redundancy): Float64Array {
  const n = keys.length / headDim;
  const attention = lookedAt(keys, headDim, n - window, queries, scale);
  const alike = likeness(keys, headDim, n, threshold);
  const most = alike.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = alike.reduce((all, value) => all + Math.exp(value - most), 0);
  const side = (kernel - 1) / 2;
  return Float64Array.from({ length: n }, (_, i) => {
    let largest = 0;
    if (i < n - window) for (let j = Math.max(0, i - side); j <= Math.min(n - window - 1, i + side); j++) largest = Math.max(largest, attention[j]!);
    return lambda * largest - (1 - lambda) * (Math.exp(alike[i]! - most) / sum);
  });
}

/** The mean over queries of the softmax over the first `count` keys, of products that are the largest of the sharing heads'. */
function lookedAt(keys: Float32Array, headDim: number, count: number, queries: readonly (readonly Float32Array[])[], scale: number): Float64Array {
  const mean = new Float64Array(Math.max(0, count));
  for (const heads of queries) {
    const products = Float64Array.from(mean, (_, j) => heads.reduce((most, query) => Math.max(most, dot(query, 0, keys, j * headDim, headDim)), -Infinity) * scale);
    const most = products.reduce((a, b) => Math.max(a, b), -Infinity);
    const sum = products.reduce((all, value) => all + Math.exp(value - most), 0);
    products.forEach((value, j) => (mean[j]! += Math.exp(value - most) / sum / queries.length));
  }
  return mean;
}

/** The mean cosine of each key with all others, but for those whose latest likeness it is. */
function likeness(keys: Float32Array, headDim: number, n: number, threshold: number): Float64Array {
  const unit = new Float32Array(keys.length);
  const together = new Float64Array(headDim);
  for (let i = 0; i < n; i++) {
    const norm = Math.sqrt(dot(keys, i * headDim, keys, i * headDim, headDim)) + 1e-8;
    for (let d = 0; d < headDim; d++) together[d]! += unit[i * headDim + d] = keys[i * headDim + d]! / norm;
  }
  // Sums over all rows at once, itself taken out; then what each row leaves out.
  const sums = Float64Array.from({ length: n }, (_, j) => {
    let all = 0;
    for (let d = 0; d < headDim; d++) all += unit[j * headDim + d]! * together[d]!;
    return all - dot(unit, j * headDim, unit, j * headDim, headDim);
  });
  for (let i = 0; i < n; i++) {
    let latest = n - 1;
    let cosine = 0;
    for (; latest > 0; latest--) if (latest !== i && (cosine = dot(unit, i * headDim, unit, latest * headDim, headDim)) > threshold) break;
    if (latest === 0) cosine = i === 0 ? 0 : dot(unit, i * headDim, unit, 0, headDim);
    sums[latest]! -= cosine;
  }
  return sums.map((sum) => sum / n);
}

function dot(a: Float32Array, from: number, b: Float32Array, start: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += a[from + i]! * b[start + i]!;
  return sum;
}
