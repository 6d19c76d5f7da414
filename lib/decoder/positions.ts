import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder, RotaryLayout } from "../onnx/builder.js";
import type { Dim, Value } from "../onnx/graph.js";
import { layerWindow } from "../checkpoint/sliding-window.js";
import { ropeSets } from "./rotary.js";

/** Rotary rows for the tokens at hand, `[n, rotaryDim / 2]`. */
export interface Rotary {
  readonly cos: Value;
  readonly sin: Value;
}

/** The rows of each of the model's sets of frequencies (see `ropeSets`). */
export type Rotaries = readonly Rotary[];

/** The inputs `cos` and `sin` `[n, rotaryDim / 2]` of each set (`cos.window`, `sin.window` for the second); none where positions are not rotary. */
export function rotaryInputs(g: GraphBuilder, config: ModelConfig, n: Dim): Rotaries {
  const table = (name: string) => g.cast(g.input(name, "float32", [n, config.rotaryDim / 2]), g.floats);
  return ropeSets(config).map(({ suffix }) => ({ cos: table(`cos${suffix}`), sin: table(`sin${suffix}`) }));
}

/** Rows of the tokens that stay. */
export const gatherRotary = (g: GraphBuilder, rotaries: Rotaries, kept: Value): Rotaries =>
  rotaries.map(({ cos, sin }) => ({ cos: g.gather(cos, kept), sin: g.gather(sin, kept) }));

/** The rows that a layer's queries and keys are turned by; null: they are not. */
export function layerRotary(config: ModelConfig, rotaries: Rotaries, layer: number): Rotary | null {
  if (rotaries.length === 0 || config.ropelessLayers.includes(layer)) return null;
  return rotaries[config.windowRope !== null && layerWindow(config, layer) !== null ? 1 : 0]!;
}

/** Which elements of `heads` heads are turned. */
export const rotaryLayout = ({ headDim, rotaryDim, ropeInterleaved: interleaved }: ModelConfig, heads: number): RotaryLayout =>
  ({ interleaved, partial: rotaryDim === headDim ? null : { heads, turned: rotaryDim } });

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
