// Rotary position embedding (Su et al., arXiv:2104.09864) in the layout of Hugging Face checkpoints: feature i
// turns together with feature i + headDim/2 by the angle position * frequency i.
import { type HfConfig, headDimOf } from "./config.js";
import type { Vector } from "./operations.js";

/** Angular frequencies per position, `[headDim / 2]`, rescaled as the configuration says. */
export function rotaryFrequencies(config: HfConfig): number[] {
  const rope = config.rope_parameters ?? config.rope_scaling ?? {};
  const base = config.rope_parameters?.rope_theta ?? config.rope_theta ?? 10000;
  const headDim = headDimOf(config);
  const plain = Array.from({ length: headDim / 2 }, (_, i) => base ** ((-2 * i) / headDim));
  const kind = rope.rope_type ?? rope.type ?? "default";
  if (kind === "default") return plain;
  if (kind === "linear") return plain.map((frequency) => frequency / rope.factor!);
  if (kind === "llama3") return plain.map((frequency) => llama3(frequency, rope as Required<typeof rope>));
  throw new Error(`rope type: ${kind} (the reference pass knows default, linear, llama3)`);
}

/** Llama 3.1: long waves slowed by `factor`, short ones left, those between blended by turns within the original context. */
function llama3(frequency: number, rope: { factor: number; low_freq_factor: number; high_freq_factor: number; original_max_position_embeddings: number }): number {
  const turns = (rope.original_max_position_embeddings * frequency) / (2 * Math.PI);
  if (turns < rope.low_freq_factor) return frequency / rope.factor;
  if (turns > rope.high_freq_factor) return frequency;
  const blend = (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  return (1 - blend) * (frequency / rope.factor) + blend * frequency;
}

/** One head's vector `[headDim]` turned to its position. */
export function rotate(x: Vector, position: number, frequencies: readonly number[]): Vector {
  const half = frequencies.length;
  const y = new Float64Array(x.length);
  for (let i = 0; i < half; i++) {
    const cos = Math.cos(position * frequencies[i]!);
    const sin = Math.sin(position * frequencies[i]!);
    y[i] = x[i]! * cos - x[i + half]! * sin;
    y[i + half] = x[i + half]! * cos + x[i]! * sin;
  }
  return y;
}
