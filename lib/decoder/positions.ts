import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Dim, Value } from "../onnx/graph.js";

/** Rotary rows for the tokens at hand, `[n, headDim / 2]`. */
export interface Rotary {
  readonly cos: Value;
  readonly sin: Value;
}

/** The inputs `cos` and `sin` `[n, headDim / 2]`, where positions are rotary. */
export function rotaryInputs(g: GraphBuilder, config: ModelConfig, n: Dim): Rotary | null {
  if (config.positions !== "rotary") return null;
  const table = (name: string) => g.input(name, "float32", [n, config.headDim / 2]);
  return { cos: table("cos"), sin: table("sin") };
}

/** Rows of the tokens that stay. */
export const gatherRotary = (g: GraphBuilder, rotary: Rotary | null, kept: Value): Rotary | null =>
  rotary && { cos: g.gather(rotary.cos, kept), sin: g.gather(rotary.sin, kept) };

/**
 * ALiBi (arXiv:2108.12409): what is added to each head's scores, `[kvHeads, group, m, n]`: a slope times how far the key lies back.
 * @param queries positions `[m]` @param keys positions `[n]`, both int64
 */
export function alibi(g: GraphBuilder, { heads, kvHeads }: ModelConfig, queries: Value, keys: Value): Value {
  const distance = g.cast(g.sub(g.reshape(keys, [1, keys.shape[0]!]), g.reshape(queries, [queries.shape[0]!, 1])), "float32");
  return g.mul(distance, g.constant("float32", alibiSlopes(heads), [kvHeads, heads / kvHeads, 1, 1]));
}

/** Geometric from 2^(-8/p) for p heads, p a power of two; further heads get every second of the series for 2p. */
export function alibiSlopes(heads: number): number[] {
  const power = 2 ** Math.floor(Math.log2(heads));
  const series = (count: number) => Array.from({ length: count }, (_, i) => 2 ** ((-8 * (i + 1)) / count));
  return [...series(power), ...series(2 * power).filter((_, i) => i % 2 === 0).slice(0, heads - power)];
}
