// Ways of computing a prompt's attention in one layer with ONNX Runtime's operators, as graphs: `q` `[1, n, heads * headDim]`, `k`, `v` `[1, n, kvHeads * headDim]` -> `[1, n, heads * headDim]`.
import { layerWindow } from "../../../dist/lib/checkpoint/sliding-window.js";
import { attend, fusedAttention, splitHeads } from "../../../dist/lib/decoder/attention.js";
import { planAttention } from "../../../dist/lib/methods/plan/pieces.js";

const int = (value) => ({ kind: "int", value });
const text = (value) => ({ kind: "string", value });
const float32 = (g, op, inputs, shape, attributes = {}, domain = "") => g.node(op, inputs, [{ dtype: "float32", shape }], attributes, domain)[0];

/** What the product does for a prompt of `n` tokens. */
export const today = (config, n) => {
  const { fusedChunks: chunks, tiled, windowed, windowTiled } = planAttention(config, n, { fewest: n });
  return (g, given) => fusedAttention(config, { chunks, tiled, windowed, windowTiled })(g, given, 0).output;
};

/** GroupQueryAttention over pieces of `m` queries, each with the keys up to its end, or in tiles. */
export const pieces = (config, n, m, tiled = false) => (g, given) => fusedAttention(config, { chunks: n / m, tiled })(g, given, 0).output;

/** As prompts with a window were computed before: in tiles, or with sinks in pieces, given all keys up to a piece's end, the window left to the operator. */
export const allKeys = (config, n) => (g, { q, k, v, sinks = null }, layer = 0) => {
  const { heads, kvHeads, headDim, attentionScale: scale, attentionSoftcap: softcap } = config;
  const chunks = sinks ? planAttention(config, n, { fewest: n }).fusedChunks : 16;
  const split = (x) => g.splitEvenly(x, 1, chunks, (chunk) => `${q.shape[1]}/${chunks}.${chunk}`);
  const [queries, keys, values] = [split(q), split(k), split(v)];
  const outputs = [];
  let past = null;
  queries.forEach((part, chunk) => {
    const [output, key, value] = g.groupQueryAttention(part, keys[chunk], values[chunk], { heads, kvHeads, headDim, scale, softcap, window: layerWindow(config, layer), past, present: `${q.shape[1]}/${chunks}.0-${chunk}`, tiled: !sinks, sinks });
    outputs.push(output);
    past = { key, value };
  });
  return { output: g.concat(outputs, 1, q.shape[1]), ...past };
};

/** What the product does now, in other pieces than it chooses. */
export const windowPieces = (config, n, m) => (g, given) => fusedAttention(config, { chunks: n / m, tiled: false, windowed: true, windowTiled: false })(g, given, 0).output;

/** -inf above the diagonal of the last `m` of `end` columns. */
function maskOf(g, m, end) {
  const triangle = Float32Array.from({ length: m * m }, (_, i) => (i % m > Math.floor(i / m) ? -Infinity : 0));
  const square = g.constant("float32", triangle, [m, m]);
  return end === m ? square : g.concat([g.expand(g.scalar("float32", 0), [m, end - m]), square], 1, end);
}

/** Spelled out in float32, the queries of a group as rows of one matrix. */
export const spelledOut = (config, n, m) => (g, given) => {
  const { q, key, value } = splitHeads(g, config, given);
  const outputs = Array.from({ length: n / m }, (_, piece) => {
    const end = (piece + 1) * m;
    const upTo = (x) => g.slice(x, 2, 0, end, end);
    return attend(g, config, g.slice(q, 3, end - m, end, m), upTo(key), upTo(value), maskOf(g, m, end)).output;
  });
  return g.concat(outputs, 1, n);
};

/** ONNX's own Attention, of opset 23. */
export const onnxAttention = (config) => (g, { q, k, v }) => {
  const { heads, kvHeads, attentionScale } = config;
  return float32(g, "Attention", [q, k, v], q.shape, { q_num_heads: int(heads), kv_num_heads: int(kvHeads), is_causal: int(1), scale: { kind: "float", value: attentionScale } });
};

/** ONNX Runtime's MultiHeadAttention, which knows no groups: their keys and values repeated. */
export const multiHead = (config, n) => (g, { q, k, v }) => {
  const { heads, kvHeads, headDim, attentionScale } = config;
  const each = (x) => g.reshape(g.expand(g.reshape(x, [1, n, kvHeads, 1, headDim]), [1, n, kvHeads, heads / kvHeads, headDim]), [1, n, heads * headDim]);
  return float32(g, "MultiHeadAttention", [q, each(k), each(v)], [1, n, heads * headDim], { num_heads: int(heads), unidirectional: int(1), scale: { kind: "float", value: attentionScale } }, "com.microsoft");
};

/** GroupQueryAttention that holds keys and values in 8 bits with a scale for each channel, in pieces. */
export const int8Cache = (config, n, m) => (g, { q, k, v }) => {
  const { heads, kvHeads, headDim, attentionScale } = config;
  const scales = (x) => g.reshape(g.mul(g.reduceMax(float32(g, "Abs", [x], x.shape), [1]), 1 / 127), [kvHeads * headDim]);
  const [kScale, vScale] = [scales(k), scales(v)];
  const channels = text("PER_CHANNEL");
  const outputs = [];
  let past = [0, 1].map(() => g.inline("empty", "int8", [1, kvHeads, 0, headDim], new Uint8Array(0)));
  for (let start = 0; start < n; start += m) {
    const part = (x) => g.slice(x, 1, start, start + m, m);
    const cache = { dtype: "int8", shape: [1, kvHeads, start + m, headDim] };
    const [output, ...present] = g.node("GroupQueryAttention", [part(q), part(k), part(v), ...past, g.constant("int32", [start + m - 1], [1]), g.scalar("int32", start + m), null, null, null, null, null, kScale, vScale],
      [{ dtype: "float32", shape: [1, m, heads * headDim] }, cache, cache],
      { num_heads: int(heads), kv_num_heads: int(kvHeads), scale: { kind: "float", value: attentionScale }, do_rotary: int(0), k_quant_type: channels, v_quant_type: channels, kv_cache_bit_width: int(8) }, "com.microsoft");
    outputs.push(output);
    past = present;
  }
  return g.concat(outputs, 1, n);
};

const MIDDLE = 128;

/** Rows `[rows, columns]` in 8 bits, each in steps of its own `scale` `[rows]`. */
const quantized = (g, x, scale, dtype, zero) => g.node("QuantizeLinear", [x, scale, g.expand(g.scalar(dtype, zero), [x.shape[0]])], [{ dtype, shape: x.shape }], { axis: int(0) })[0];
const steps = (g, x, axis, levels) => g.add(g.mul(g.reduceMax(float32(g, "Abs", [x], x.shape), [axis]), 1 / levels), 1e-30);
const product = (g, a, b, scales, zero) => float32(g, "MatMulIntegerToFloat", [a, b, g.scalar("float32", 1), scales, g.scalar("uint8", zero)], [...a.shape.slice(0, 2), b.shape[2]], {}, "com.microsoft");

/**
 * Scores and mix in products of 8-bit integers (AMX): keys with a scale a token, queries one a piece and group (the operator has but one for all rows of its first
 * matrix), what a query pays with a scale a query, values a channel.
 * @param mask `add`: as a sum over all scores; `none`: not at all, wrong, as a bound of what a cheaper mask could give
 */
export const int8Products = (config, n, m, { mask = "add" } = {}) => (g, given) => {
  const { heads, kvHeads, headDim, attentionScale } = config;
  const group = heads / kvHeads;
  const [rows, count] = [group * m, n / m];
  const { key, value } = splitHeads(g, config, given);
  const queries = g.reshape(g.transpose(g.reshape(given.q, [count, m, kvHeads, group, headDim]), [0, 2, 3, 1, 4]), [count * kvHeads, rows * headDim]);
  const queryStep = steps(g, queries, 1, 127);
  const q8 = g.reshape(quantized(g, queries, g.reshape(queryStep, [count * kvHeads]), "uint8", MIDDLE), [count, kvHeads, rows, headDim]);
  const keys = g.reshape(key, [kvHeads * n, headDim]);
  const keyStep = g.reshape(steps(g, keys, 1, 127), [kvHeads * n]);
  const k8 = g.transpose(g.reshape(quantized(g, keys, keyStep, "int8", 0), [kvHeads, n, headDim]), [0, 2, 1]);
  const values = g.reshape(g.transpose(g.reshape(value, [kvHeads, n, headDim]), [0, 2, 1]), [kvHeads * headDim, n]);
  const valueStep = g.reshape(steps(g, values, 1, 127), [kvHeads * headDim]);
  const v8 = g.transpose(g.reshape(quantized(g, values, valueStep, "int8", 0), [kvHeads, headDim, n]), [0, 2, 1]);
  const outputs = Array.from({ length: count }, (_, piece) => {
    const end = (piece + 1) * m;
    const of = (x, shape) => g.reshape(g.slice(x, 0, piece, piece + 1, 1), shape);
    const scales = g.mul(g.mul(g.slice(g.reshape(keyStep, [kvHeads, 1, n]), 2, 0, end, end), of(g.reshape(queryStep, [count, kvHeads]), [kvHeads, 1, 1])), attentionScale);
    const products = product(g, of(q8, [kvHeads, rows, headDim]), g.slice(k8, 2, 0, end, end), scales, MIDDLE);
    const scores = mask === "none" ? products : g.reshape(g.add(g.reshape(products, [kvHeads, group, m, end]), maskOf(g, m, end)), [kvHeads, rows, end]);
    const weights = g.reshape(g.softmax(scores), [kvHeads * rows, end]);
    const weightStep = g.reshape(g.mul(g.reduceMax(weights, [1]), 1 / 255), [kvHeads * rows]);
    const w8 = g.reshape(quantized(g, weights, weightStep, "uint8", 0), [kvHeads, rows, end]);
    const mixed = g.mul(product(g, w8, g.slice(v8, 1, 0, end, end), g.reshape(valueStep, [kvHeads, 1, headDim]), 0), g.reshape(weightStep, [kvHeads, rows, 1]));
    return g.reshape(g.transpose(g.reshape(mixed, [kvHeads, group, m, headDim]), [2, 0, 1, 3]), [1, m, heads * headDim]);
  });
  return g.concat(outputs, 1, n);
};
