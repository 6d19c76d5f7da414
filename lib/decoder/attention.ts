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

/** Head sizes that the fused attention takes: multiples of this. */
export const FUSED_HEAD_MULTIPLE = 8;

/**
 * ONNX Runtime's fused attention: causal, memory linear in n. For one sequence.
 * @param window tokens that a token sees, itself included; counted in tokens present, so only for unpruned prompts
 */
export function fusedAttention(config: ModelConfig, window: number | null = null): Attention {
  const { heads, kvHeads, headDim } = config;
  return (g, { q, k, v }) => {
    const [output, key, value] = g.groupQueryAttention(q, k, v, { heads, kvHeads, headDim, scale: attentionScale(config), window });
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

/**
 * The same for one sequence in `chunks` groups of queries, one after the other, so that only one group's scores
 * are in memory at a time. The mask is made from the tokens' original positions `[n]` and the sliding window.
 */
export function chunkedAttention(config: ModelConfig, positions: Value, chunks: number): Attention {
  if (chunks === 1) return (g, projections, layer) => plainAttention(config, causalBias(g, positions, positions, config.slidingWindow))(g, projections, layer);
  const { kvHeads, headDim, heads } = config;
  return (g, { q, k, v }) => {
    const n = q.shape[1]!;
    const split = (x: Value) => g.transpose(g.reshape(x, [1, n, kvHeads, headDim]), [0, 2, 1, 3]);
    const [key, value] = [split(k), split(v)];
    const size = (chunk: number) => `${n}/${chunks}.${chunk}`;
    const queries = g.splitEvenly(q, 1, chunks, size);
    const places = g.splitEvenly(positions, 0, chunks, size);
    const outputs = queries.map((part, chunk) => {
      const bias = causalBias(g, places[chunk]!, positions, config.slidingWindow);
      return attend(g, config, groupQueries(g, config, part), key, value, bias);
    });
    const output = g.concat(outputs, 1, n);
    return { output: g.reshape(output, [1, n, heads * headDim]), key, value };
  };
}

/** Queries, keys and values by head: see `groupQueries`; keys and values `[b, kvHeads, n, headDim]`. */
function splitHeads(g: GraphBuilder, config: ModelConfig, { q, k, v }: Projections): { q: Value; key: Value; value: Value } {
  const [b, n] = [q.shape[0]!, q.shape[1]!];
  const split = (x: Value) => g.transpose(g.reshape(x, [b, n, config.kvHeads, config.headDim]), [0, 2, 1, 3]);
  return { q: groupQueries(g, config, q), key: split(k), value: split(v) };
}

/** Queries `[b, m, heads * headDim]` by the key/value head they share: `[b, kvHeads, group, m, headDim]`. */
function groupQueries(g: GraphBuilder, { heads, kvHeads, headDim }: ModelConfig, q: Value): Value {
  const [b, m] = [q.shape[0]!, q.shape[1]!];
  return g.transpose(g.reshape(q, [b, m, kvHeads, heads / kvHeads, headDim]), [0, 2, 3, 1, 4]);
}

/** `q` `[b, kvHeads, group, m, headDim]`, keys and values `[b, kvHeads, n, headDim]`, `bias` `[m, n]` -> `[b, m, heads * headDim]`. */
function attend(g: GraphBuilder, config: ModelConfig, q: Value, key: Value, value: Value, bias: Value): Value {
  const [b, , group, m] = q.shape;
  const n = key.shape[2]!;
  const { heads, kvHeads, headDim } = config;
  // Queries of one group are rows of one matrix: their products share the keys without repeating them.
  const rows = typeof m === "number" ? (group as number) * m : `${group}*${m}`;
  const scores = g.matmul(g.reshape(q, [b!, kvHeads, rows, headDim]), key, { transB: true, alpha: attentionScale(config) });
  const masked = g.add(g.reshape(scores, [b!, kvHeads, group!, m!, n]), bias);
  const weights = g.reshape(g.softmax(masked), [b!, kvHeads, rows, n]);
  const mixed = g.reshape(g.matmul(weights, value), [b!, kvHeads, group!, m!, headDim]);
  return g.reshape(g.transpose(mixed, [0, 3, 1, 2, 4]), [b!, m!, heads * headDim]);
}

/**
 * `[m, n]`: 0 where a query may attend to a key, -inf elsewhere.
 * @param queries positions `[m]` int64 @param keys positions `[n]` int64
 */
export function causalBias(g: GraphBuilder, queries: Value, keys: Value, window: number | null): Value {
  const distance = g.sub(g.reshape(queries, [queries.shape[0]!, 1]), g.reshape(keys, [1, keys.shape[0]!]));
  const past = g.greaterOrEqual(distance, 0);
  const allowed = window === null ? past : g.and(past, g.less(distance, window));
  return g.where(allowed, 0, -Infinity);
}
