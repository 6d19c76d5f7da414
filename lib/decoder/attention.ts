import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Dim, Value } from "../onnx/graph.js";
import { sumTo } from "../onnx/rules.js";
import { softcap } from "./head.js";
import { layerWindow } from "../checkpoint/sliding-window.js";
import { alibi } from "./positions.js";

/** Queries `[b, n, heads * headDim]`, keys and values `[b, n, kvHeads * headDim]`, after rotary embedding. */
export interface Projections {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  /** `[heads]`: a score that every query's softmax has besides those of its keys, with no value (gpt_oss); null or absent: none. */
  readonly sinks?: Value | null;
}

/** What attention gives: `output` `[b, n, heads * headDim]`, `key` and `value` `[b, kvHeads, n, headDim]`. */
export interface Attended {
  readonly output: Value;
  readonly key: Value;
  readonly value: Value;
  /** Scaled and masked products before the softmax, `[b, kvHeads, group, n, n]`, where they exist as one value. */
  readonly scores?: Value;
  /** The same after the softmax: what each query pays to each key. */
  readonly weights?: Value;
}

/** One way of computing attention for a layer. */
export type Attention = (g: GraphBuilder, projections: Projections, layer: number) => Attended;

/**
 * ONNX Runtime's fused attention: causal, memory linear in n where it is tiled. For one sequence; not for ALiBi.
 * The prompt is taken in `chunks` pieces one after the other, each with the keys up to its own end only, in a layer with a window without
 * those that are out of all its queries' reach: of keys that no query may see, the operator computes scores all the same. The numbers are the same to rounding.
 * @param chunks at most as many as there are tokens @param tiled see `AttentionPlan` @param windowTiled likewise
 * @param windowed keep to the sliding window; it is counted in tokens present, so only for unpruned prompts
 */
export function fusedAttention(config: ModelConfig, { chunks = 1, tiled = true, windowed = false, windowTiled = true } = {}): Attention {
  const { heads, kvHeads, headDim, attentionScale: scale, attentionSoftcap: softcap } = config;
  return (g, { q, k, v, sinks }, layer) => {
    const window = windowed ? layerWindow(config, layer) : null;
    const settings = { heads, kvHeads, headDim, scale, softcap, window, tiled: window === null ? tiled : windowTiled, sinks: sinks ?? null };
    const n = q.shape[1]!;
    const split = (x: Value) => (chunks === 1 ? [x] : g.splitEvenly(x, 1, chunks, (chunk) => `${n}/${chunks}.${chunk}`));
    const [queries, keys, values] = [split(q), split(k), split(v)];
    const outputs: Value[] = [];
    let past: { key: Value; value: Value } | null = null;
    queries.forEach((part, chunk) => {
      const whole = window === null || chunks === 1;
      const present: Dim = !whole ? `${n}/${chunks}.window+${chunk}` : chunk === chunks - 1 ? n : `${n}/${chunks}.0-${chunk}`;
      const [output, key, value] = g.groupQueryAttention(part, keys[chunk]!, values[chunk]!, { ...settings, past, present });
      outputs.push(output);
      const seen = (x: Value) => g.slice(x, 2, -window!, Number.MAX_SAFE_INTEGER, `${n}/${chunks}.window.${chunk}`);
      if (whole) past = { key, value };
      else past = chunk === chunks - 1 ? { key: byHead(g, config, k), value: byHead(g, config, v) } : { key: seen(key), value: seen(value) };
    });
    const { key, value } = past! as { key: Value; value: Value };
    return { output: chunks === 1 ? outputs[0]! : g.concat(outputs, 1, n), key, value };
  };
}

/**
 * Causal attention spelled out in products and a softmax, for sequences of one known length: differentiable.
 * Queries are taken in `chunks` groups, each with the keys up to its own end only, so that the upper triangle of
 * the scores is mostly not computed.
 */
export function trainingAttention(config: ModelConfig, length: number, chunks: number): Attention {
  const size = length / chunks;
  if (config.positions === "alibi") throw new Error("attention: training knows no ALiBi");
  if (config.slidingWindow !== null && config.slidingWindow < length) throw new Error(`attention: training knows no sliding window (the model's is ${config.slidingWindow}, sequences are ${length} long)`);
  if (!Number.isInteger(size)) throw new Error(`attention chunks: ${chunks} (must divide the length ${length})`);
  return (g, projections) => {
    const { q, key, value } = splitHeads(g, config, projections);
    const outputs = Array.from({ length: chunks }, (_, chunk) => {
      const [start, end] = [chunk * size, (chunk + 1) * size];
      const part = (x: Value, axis: number, from: number) => (end - from === length ? x : g.slice(x, axis, from, end));
      const bias = g.constant("float32", triangle(size, end), [size, end]);
      return attend(g, config, part(q, 3, start), part(key, 2, 0), part(value, 2, 0), bias, projections.sinks).output;
    });
    return { output: chunks === 1 ? outputs[0]! : g.concat(outputs, 1), key, value };
  };
}

/** `[rows, columns]`: the last `rows` rows of a causal mask: 0 on and below the diagonal, -inf above. */
function triangle(rows: number, columns: number): Float32Array {
  const bias = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) bias.fill(-Infinity, row * columns + columns - rows + row + 1, (row + 1) * columns);
  return bias;
}

/**
 * Attention spelled out for one sequence of any length, in `chunks` groups of queries one after the other, each with the keys up to its own end, so that
 * only one group's scores are in memory at a time: any head size, any device. The mask is made from the tokens' original positions `[n]`, ascending, and the sliding window.
 * @param apart heads are apart (see `attendApart`)
 */
export function chunkedAttention(config: ModelConfig, positions: Value, chunks: number, { apart = false } = {}): Attention {
  const masks = new Map<number | null, readonly Value[]>();
  return (g, projections, layer) => {
    const { q, key, value } = splitHeads(g, config, projections);
    const held = (x: Value) => (apart ? g.transpose(x, [1, 0, 2, 3]) : x);
    const n = key.shape[2]!;
    const size = (chunk: number) => `${n}/${chunks}.${chunk}`;
    const split = (x: Value, axis: number) => (chunks === 1 ? [x] : g.splitEvenly(x, axis, chunks, size));
    /** What there is up to the end of each piece. */
    const upTo = (x: Value, axis: number) => {
      let all: Value | null = null;
      return split(x, axis).map((piece, chunk) => (all = chunk === chunks - 1 ? x : all ? g.concat([all, piece], axis, `${n}/${chunks}.0-${chunk}`) : piece));
    };
    const window = layerWindow(config, layer);
    if (!masks.has(window)) {
      const before = upTo(positions, 0);
      masks.set(window, split(positions, 0).map((places, chunk) => scoreBias(g, config, layer, places, before[chunk]!)));
    }
    const [keys, values, biases] = [upTo(held(key), 2), upTo(held(value), 2), masks.get(window)!];
    const way: (...given: Parameters<typeof attend>) => Pick<Attended, "output" | "scores" | "weights"> = apart ? attendApart : attend;
    const parts = split(q, 3).map((part, chunk) => way(g, config, part, keys[chunk]!, values[chunk]!, biases[chunk]!, projections.sinks));
    if (chunks === 1) return { ...parts[0]!, key, value };
    return { output: g.concat(parts.map(({ output }) => output), 1, n), key, value };
  };
}

/**
 * Attention of the last tokens alone, in projections that have no other queries. A single one sees all keys but those before the layer's window.
 * @param positions `[n]` int64 @param count how many last tokens
 */
export function lastAttention(config: ModelConfig, positions: Value, count = 1): Attention {
  return (g, projections, layer) => {
    const { q, key, value } = splitHeads(g, config, projections);
    const m = q.shape[3]!;
    const seesAll = m === 1 && layerWindow(config, layer) === null && config.positions !== "alibi";
    const at = m === 1 ? g.last(positions, 0) : g.slice(positions, 0, -count, Number.MAX_SAFE_INTEGER, m);
    const bias = seesAll ? null : scoreBias(g, config, layer, at, positions);
    return { ...attend(g, config, q, key, value, bias, projections.sinks), key, value };
  };
}

/** Queries by the key/value head they share, `[b, kvHeads, group, n, headDim]`; keys and values `[b, kvHeads, n, headDim]`. */
export function splitHeads(g: GraphBuilder, config: ModelConfig, { q, k, v }: Projections): { q: Value; key: Value; value: Value } {
  const [b, m] = [q.shape[0]!, q.shape[1]!];
  const grouped = g.transpose(g.reshape(q, [b, m, config.kvHeads, config.heads / config.kvHeads, config.headDim]), [0, 2, 3, 1, 4]);
  return { q: grouped, key: byHead(g, config, k), value: byHead(g, config, v) };
}

/** Keys or values `[b, n, kvHeads * headDim]` -> `[b, kvHeads, n, headDim]`. */
function byHead(g: GraphBuilder, { kvHeads, headDim }: ModelConfig, x: Value): Value {
  return g.transpose(g.reshape(x, [x.shape[0]!, x.shape[1]!, kvHeads, headDim]), [0, 2, 1, 3]);
}

/** Scores and their softmax in float32. `q` `[b, kvHeads, group, m, headDim]`, keys and values `[b, kvHeads, n, headDim]`, `bias` `[m, n]` or by head, `sinks` as in `Projections` -> output `[b, m, heads * headDim]`. */
export function attend(g: GraphBuilder, config: ModelConfig, q: Value, key: Value, value: Value, bias: Value | null, sinks: Value | null = null): Required<Pick<Attended, "output" | "scores" | "weights">> {
  const [b, , group, m] = q.shape;
  const n = key.shape[2]!;
  const { heads, kvHeads, headDim } = config;
  // Queries of one group are rows of one matrix: their products share the keys without repeating them.
  const rows = typeof m === "number" ? (group as number) * m : `${group}*${m}`;
  const products = g.matmul(g.reshape(q, [b!, kvHeads, rows, headDim]), key, { transB: true, alpha: config.attentionScale });
  const capped = softcap(g, g.cast(g.reshape(products, [b!, kvHeads, group!, m!, n]), "float32"), config.attentionSoftcap);
  const scores = bias ? g.add(capped, bias) : capped;
  const weights = sinks ? softmaxWithSinks(g, scores, g.reshape(sinks, [1, kvHeads, group!, 1, 1])) : g.softmax(scores);
  const mixed = g.reshape(g.matmul(g.reshape(g.cast(weights, value.dtype), [b!, kvHeads, rows, n]), value), [b!, kvHeads, group!, m!, headDim]);
  return { output: g.reshape(g.transpose(mixed, [0, 3, 1, 2, 4]), [b!, m!, heads * headDim]), scores, weights };
}

/**
 * As `attend`, of one sequence, the heads of a group apart: all between queries and output has four axes, kvHeads and group first. In this form providers
 * know attention and do it by an operator of their own, which never has all scores in memory.
 * @param q `[1, kvHeads, group, m, headDim]` @param key, value `[kvHeads, 1, n, headDim]`
 */
export function attendApart(g: GraphBuilder, config: ModelConfig, q: Value, key: Value, value: Value, bias: Value | null, sinks: Value | null = null): Pick<Attended, "output"> {
  const [, , group, m] = q.shape;
  const { heads, kvHeads, headDim } = config;
  const products = g.matmul(g.reshape(q, [kvHeads, group!, m!, headDim]), key, { transB: true, alpha: config.attentionScale });
  const capped = softcap(g, products, config.attentionSoftcap);
  const scores = bias ? g.add(capped, bias) : capped;
  const mixed = g.matmul(sinks ? softmaxWithSinks(g, scores, g.reshape(sinks, [kvHeads, group!, 1, 1])) : g.softmax(scores), value);
  return { output: g.reshape(g.transpose(mixed, [2, 0, 1, 3]), [1, m!, heads * headDim]) };
}

/** Softmax over the last axis of `scores` and one score more; what that one gets is left out. @param sinks `[…, 1]`, broadcast to the scores' other axes */
export function softmaxWithSinks(g: GraphBuilder, scores: Value, sinks: Value): Value {
  const n = scores.shape.at(-1)!;
  let weights: Value;
  return g.composite([scores, sinks], () => {
    const all = g.concat([scores, g.expand(sinks, [...scores.shape.slice(0, -1), 1])], scores.rank - 1, typeof n === "number" ? n + 1 : `${n}+sink`);
    return (weights = g.slice(g.softmax(all), -1, 0, -1, n));
  }, (gradient) => {
    const sum = g.reduceSum(g.mul(gradient, weights), [-1], true);
    const left = g.sub(1, g.reduceSum(weights, [-1], true));
    return [g.mul(weights, g.sub(gradient, sum)), sumTo(g, g.neg(g.mul(left, sum)), sinks.shape)];
  });
}

/**
 * What is added to a layer's scores: `[m, n]`, or `[kvHeads, group, m, n]` with ALiBi.
 * @param queries positions `[m]` int64 @param keys positions `[n]` int64
 */
export function scoreBias(g: GraphBuilder, config: ModelConfig, layer: number, queries: Value, keys: Value): Value {
  const mask = causalBias(g, queries, keys, layerWindow(config, layer));
  return config.positions === "alibi" ? g.add(alibi(g, config, queries, keys), mask) : mask;
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
