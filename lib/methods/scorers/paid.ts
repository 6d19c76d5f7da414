import { scoreBias, softmaxWithSinks } from "../../decoder/attention.js";
import { softcap } from "../../decoder/head.js";
import type { ModelConfig } from "../../checkpoint/types.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import type { Dim, Value } from "../../onnx/graph.js";

/** Queries that look, and what they look at. */
export interface Looking {
  /** After rotary embedding, `[1, m, heads * headDim]`. */
  readonly queries: Value;
  /** Their positions, `[m]` int64. */
  readonly at: Value;
  /** `[1, kvHeads, n, headDim]`. */
  readonly keys: Value;
  /** `[n]` int64. */
  readonly positions: Value;
  /** `[heads]`; null: none. */
  readonly sinks: Value | null;
  readonly layer: number;
  readonly config: ModelConfig;
}

/** What each query pays to each key, as the layer computes it: `[kvHeads, group, m, n]`. */
export function paid(g: GraphBuilder, { queries, at, keys, positions, sinks, layer, config }: Looking): Value {
  const { heads, kvHeads, headDim } = config;
  const group = heads / kvHeads;
  const [m, n] = [queries.shape[1]!, positions.shape[0]!];
  const rows: Dim = typeof m === "number" ? group * m : `${group}*${m}`;
  const byHead = g.transpose(g.reshape(queries, [1, m, kvHeads, group, headDim]), [0, 2, 3, 1, 4]);
  const products = g.matmul(g.reshape(byHead, [1, kvHeads, rows, headDim]), keys, { transB: true, alpha: config.attentionScale });
  const scores = g.add(g.reshape(softcap(g, products, config.attentionSoftcap), [kvHeads, group, m, n]), scoreBias(g, config, layer, at, positions));
  return sinks ? softmaxWithSinks(g, scores, g.reshape(sinks, [kvHeads, group, 1, 1])) : g.softmax(scores);
}

/** Mean or largest over `kernel` neighbours along the last axis, at the ends with zeros beyond: `[kvHeads, group, n]`, no element below zero. */
export function smoothed(g: GraphBuilder, x: Value, kernel: number, pool: "mean" | "max"): Value {
  if (kernel === 1) return x;
  const side = (kernel - 1) / 2;
  const [a, b, n] = [x.shape[0] as number, x.shape[1] as number, x.shape[2]!];
  const zeros = g.constant("float32", new Float32Array(a * b * side), [a, b, side]);
  const wide = g.concat([zeros, x, zeros], 2, `${n}+${2 * side}`);
  const shifted = Array.from({ length: kernel }, (_, i) => g.slice(wide, 2, i, i === kernel - 1 ? Number.MAX_SAFE_INTEGER : i - kernel + 1, n));
  const together = shifted.reduce((all, part) => (pool === "max" ? g.max(all, part) : g.add(all, part)));
  return pool === "max" ? together : g.div(together, kernel);
}
