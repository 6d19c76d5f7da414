// The operations of a decoder as plain float64 loops. A sequence is an array of token vectors.

export type Vector = Float64Array;
export type Weights = ReadonlyMap<string, Float64Array | Float32Array>;

/** Each x mapped to W x + b, W stored row by row `[out, in]`. */
export function linear(xs: readonly Vector[], weight: ArrayLike<number>, bias?: ArrayLike<number>): Vector[] {
  return xs.map((x) => {
    const outputs = weight.length / x.length;
    const y = new Float64Array(outputs);
    for (let o = 0; o < outputs; o++) {
      let sum = bias ? bias[o]! : 0;
      for (let i = 0; i < x.length; i++) sum += weight[o * x.length + i]! * x[i]!;
      y[o] = sum;
    }
    return y;
  });
}

/** x / sqrt(mean(x²) + eps) * weight. */
export function rmsNorm(x: Vector, weight: ArrayLike<number>, eps: number): Vector {
  let squares = 0;
  for (const value of x) squares += value * value;
  const scale = 1 / Math.sqrt(squares / x.length + eps);
  return x.map((value, i) => value * scale * weight[i]!);
}

/** (x - mean) / sqrt(variance + eps) * weight + bias. */
export function layerNorm(x: Vector, weight: ArrayLike<number>, bias: ArrayLike<number>, eps: number): Vector {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  return x.map((value, i) => ((value - mean) / Math.sqrt(variance + eps)) * weight[i]! + bias[i]!);
}

/** The approximation of GELU by tanh. */
export const geluTanh = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

export const silu = (x: number) => x / (1 + Math.exp(-x));

export function softmax(scores: readonly number[]): number[] {
  const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

export const add = (a: Vector, b: Vector): Vector => a.map((value, i) => value + b[i]!);

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Sum over the vocabulary of p log(p / q) in nats, p and q the softmax of two logits. */
export function divergence(p: Vector, q: Vector): number {
  const shares = softmax([...p]);
  return shares.reduce((sum, share, token) => sum + share * (crossEntropy(q, token) - crossEntropy(p, token)), 0);
}

/** -log softmax(logits)[target] in nats. */
export function crossEntropy(logits: Vector, target: number): number {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return Math.log(sum) + largest - logits[target]!;
}
