import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";

/** Queries `[b, n, heads * headDim]`, keys and values `[b, n, kvHeads * headDim]`, after rotary embedding. */
export interface Projections {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
}

/** What attention gives: `output` `[b, n, heads * headDim]`, `key` and `value` `[b, kvHeads, n, headDim]`. */
export interface Attended {
  readonly output: Value;
  readonly key: Value;
  readonly value: Value;
}

/** One way of computing attention for a layer. */
export type Attention = (g: GraphBuilder, projections: Projections, layer: number) => Attended;

export const attentionScale = (config: ModelConfig): number => 1 / Math.sqrt(config.headDim);

/** ONNX Runtime's fused attention: causal, memory linear in n. For one sequence. */
export function fusedAttention(config: ModelConfig): Attention {
  const { heads, kvHeads, headDim } = config;
  return (g, { q, k, v }) => {
    const [output, key, value] = g.groupQueryAttention(q, k, v, { heads, kvHeads, headDim, scale: attentionScale(config) });
    return { output, key, value };
  };
}

/**
 * Attention spelled out in products and a softmax: differentiable, any batch, any mask, on any device;
 * memory quadratic in n. `bias` `[n, n]` is added to the scores (0 or -inf).
 */
export function plainAttention(config: ModelConfig, bias: Value): Attention {
  return (g, projections) => {
    const { q, key, value } = splitHeads(g, config, projections);
    return { output: attend(g, config, q, key, value, bias), key, value };
  };
}

/** Queries grouped by the key/value head they share: `[b, kvHeads, group * n, headDim]`; keys and values `[b, kvHeads, n, headDim]`. */
function splitHeads(g: GraphBuilder, config: ModelConfig, { q, k, v }: Projections): { q: Value; key: Value; value: Value } {
  const [b, n] = [q.shape[0]!, q.shape[1]!];
  const { heads, kvHeads, headDim } = config;
  const group = heads / kvHeads;
  const byHead = g.transpose(g.reshape(q, [b, n, kvHeads, group, headDim]), [0, 2, 3, 1, 4]);
  const rows = typeof n === "number" ? group * n : `${group}*${n}`;
  const split = (x: Value) => g.transpose(g.reshape(x, [b, n, kvHeads, headDim]), [0, 2, 1, 3]);
  return { q: g.reshape(byHead, [b, kvHeads, rows, headDim]), key: split(k), value: split(v) };
}

function attend(g: GraphBuilder, config: ModelConfig, q: Value, key: Value, value: Value, bias: Value): Value {
  const [b, , n] = key.shape;
  const { heads, kvHeads, headDim } = config;
  const group = heads / kvHeads;
  const rows = q.shape[2]!;
  const scores = g.matmul(q, key, { transB: true, alpha: attentionScale(config) });
  const masked = g.add(g.reshape(scores, [b!, kvHeads, group, n!, n!]), bias);
  const weights = g.reshape(g.softmax(masked), [b!, kvHeads, rows, n!]);
  const mixed = g.reshape(g.matmul(weights, value), [b!, kvHeads, group, n!, headDim]);
  return g.reshape(g.transpose(mixed, [0, 3, 1, 2, 4]), [b!, n!, heads * headDim]);
}

/** `[n, n]`: 0 where a token may attend, -inf elsewhere. `positions` `[n]` int64, increasing. */
export function causalBias(g: GraphBuilder, positions: Value, window: number | null): Value {
  const n = positions.shape[0]!;
  const distance = g.sub(g.reshape(positions, [n, 1]), g.reshape(positions, [1, n]));
  const past = g.greaterOrEqual(distance, 0);
  const allowed = window === null ? past : g.and(past, g.less(distance, window));
  return g.where(allowed, 0, -Infinity);
}
