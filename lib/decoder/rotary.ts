import type { ModelConfig } from "../checkpoint/types.js";

/** Rows `cos` and `sin` `[n, headDim / 2]` of the rotary embedding for given positions. */
export interface RotaryTable {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
  readonly rows: number;
  readonly width: number;
}

/**
 * The rotary angles per position, `[headDim / 2]` in radians, after the checkpoint's rescaling
 * (`linear`: all divided by the factor; `llama3`: only the low frequencies, blended in between).
 */
export function inverseFrequencies(config: Pick<ModelConfig, "headDim" | "ropeTheta" | "ropeScaling">): Float64Array {
  const half = config.headDim / 2;
  const plain = Float64Array.from({ length: half }, (_, i) => config.ropeTheta ** (-i / half));
  const scaling = config.ropeScaling;
  if (!scaling) return plain;
  if (scaling.kind === "linear") return plain.map((frequency) => frequency / scaling.factor);
  if (scaling.kind === "factors") return plain.map((frequency, i) => frequency / scaling.factors[i]!);
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = scaling;
  return plain.map((frequency) => {
    const turns = (originalMaxPositions * frequency) / (2 * Math.PI);
    if (turns < lowFreqFactor) return frequency / factor;
    if (turns > highFreqFactor) return frequency;
    const smooth = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

/** Angles are computed in double precision: in single, position 32768 would be off by 2e-3 radians. */
export function rotaryTable(frequencies: Float64Array, positions: ArrayLike<number>): RotaryTable {
  const width = frequencies.length;
  const rows = positions.length;
  const cos = new Float32Array(rows * width);
  const sin = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < width; i++) {
      const angle = positions[row]! * frequencies[i]!;
      cos[row * width + i] = Math.cos(angle);
      sin[row * width + i] = Math.sin(angle);
    }
  }
  return { cos, sin, rows, width };
}
