import type { HfConfig } from "./config.js";
import { forward, type ForwardOptions } from "./forward.js";
import { crossEntropy, type Weights } from "./operations.js";

/**
 * Mean next-token cross-entropy in nats: the token at position t predicts `ids[t + 1]`, for each t of `over`
 * (every position but the last by default). Where `options` prune, `over` may name surviving positions only.
 */
export function nextTokenLoss(config: HfConfig, weights: Weights, ids: readonly number[], over?: readonly number[], options: ForwardOptions = {}): number {
  const { allLogits, positions } = forward(config, weights, ids, { ...options, allLogits: true });
  const predicting = over ?? [...ids.keys()].slice(0, -1);
  const losses = predicting.map((t) => {
    const row = positions.indexOf(t);
    if (row < 0) throw new Error(`loss position: ${t} (was pruned)`);
    return crossEntropy(allLogits![row]!, ids[t + 1]!);
  });
  return losses.reduce((a, b) => a + b, 0) / losses.length;
}

/**
 * Central differences (f(x + step) - f(x - step)) / (2 step) at the given indices of x (all by default). `x` is
 * changed in place while f runs and restored afterwards; float64 only, since a step is lost in float32.
 */
export function centralDifferences(f: () => number, x: Float64Array, { step = 1e-5, indices = [...x.keys()] }: { step?: number; indices?: readonly number[] } = {}): Float64Array {
  return Float64Array.from(indices, (i) => {
    const value = x[i]!;
    x[i] = value + step;
    const above = f();
    x[i] = value - step;
    const below = f();
    x[i] = value;
    return (above - below) / (2 * step);
  });
}

/**
 * Gradient of the next-token loss with respect to the output of block `layer`, one vector a token `[n][d]`,
 * by central differences: 2 n d forward passes.
 */
export function hiddenGradient(config: HfConfig, weights: Weights, ids: readonly number[], layer: number, over?: readonly number[], step = 1e-5): Float64Array[] {
  const change = new Float64Array(config.hidden_size);
  return [...ids.keys()].map((token) => {
    const edit: ForwardOptions["edit"] = (hidden, at) => (at === layer ? hidden.map((x, t) => (t === token ? x.map((value, i) => value + change[i]!) : x)) : hidden);
    return centralDifferences(() => nextTokenLoss(config, weights, ids, over, { edit }), change, { step });
  });
}
