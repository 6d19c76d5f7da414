import type { ModelConfig, Rope } from "../checkpoint/types.js";

/** Rows `cos` and `sin` `[n, rotaryDim / 2]` of the rotary embedding for given positions. */
export interface RotaryTable {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
  readonly rows: number;
  readonly width: number;
}

/** A set of frequencies as graphs know it: its inputs are `cos` and `sin` with this after them. */
export interface RopeSet {
  readonly suffix: string;
  readonly rope: Rope;
}

/** What frequencies are computed from. */
export type RopeConfig = Pick<ModelConfig, "positions" | "ropeTheta" | "ropeScaling" | "windowRope" | "rotaryDim">;

/** The sets of a model: one, two where blocks with a window have their own, or none. */
export function ropeSets({ positions, ropeTheta, ropeScaling, windowRope }: Omit<RopeConfig, "rotaryDim">): RopeSet[] {
  if (positions !== "rotary") return [];
  const first = { suffix: "", rope: { theta: ropeTheta, scaling: ropeScaling } };
  return windowRope ? [first, { suffix: ".window", rope: windowRope }] : [first];
}

/** Whether a position is turned by other angles in a longer sequence. */
export const turnsByLength = (config: Omit<RopeConfig, "rotaryDim">): boolean => ropeSets(config).some(({ rope: { scaling } }) => scaling?.kind === "dynamic" || scaling?.kind === "longrope");

/**
 * The rotary angles per position, `[rotaryDim / 2]` in radians, after the checkpoint's rescaling.
 * @param length of the sequence, its last position + 1: `dynamic` and `longrope` have others beyond the length they were made for
 */
export function inverseFrequencies({ theta, scaling }: Rope, rotaryDim: number, length = 0): Float64Array {
  const plain = (base: number) => Float64Array.from({ length: rotaryDim / 2 }, (_, i) => base ** ((-2 * i) / rotaryDim));
  const frequencies = plain(theta);
  switch (scaling?.kind) {
    case undefined: return frequencies;
    case "linear": return frequencies.map((frequency) => frequency / scaling.factor);
    case "factors": return frequencies.map((frequency, i) => frequency / scaling.factors[i]!);
    case "proportional": {
      const turning = Math.floor((scaling.share * rotaryDim) / 2);
      return frequencies.map((frequency, i) => (i < turning ? frequency / scaling.factor : 0));
    }
    case "dynamic": {
      const { factor, originalMaxPositions } = scaling;
      if (length <= originalMaxPositions) return frequencies;
      return plain(theta * ((factor * length) / originalMaxPositions - (factor - 1)) ** (rotaryDim / (rotaryDim - 2)));
    }
    case "longrope": {
      const factors = length > scaling.originalMaxPositions ? scaling.longFactors : scaling.shortFactors;
      return frequencies.map((frequency, i) => frequency / factors[i]!);
    }
    case "llama3": {
      const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = scaling;
      return frequencies.map((frequency) => {
        const turns = (originalMaxPositions * frequency) / (2 * Math.PI);
        if (turns < lowFreqFactor) return frequency / factor;
        if (turns > highFreqFactor) return frequency;
        const smooth = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
        return ((1 - smooth) * frequency) / factor + smooth * frequency;
      });
    }
    case "yarn": {
      const { factor, betaFast, betaSlow, truncate, originalMaxPositions } = scaling;
      /** The dimension whose frequency makes so many turns within the original length. */
      const dimensionOf = (turns: number) => (rotaryDim * Math.log(originalMaxPositions / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
      const [fast, slow] = [dimensionOf(betaFast), dimensionOf(betaSlow)];
      const low = Math.max(truncate ? Math.floor(fast) : fast, 0);
      const high = Math.min(truncate ? Math.ceil(slow) : slow, rotaryDim - 1);
      return frequencies.map((frequency, i) => {
        const ramp = Math.min(Math.max((i - low) / (high === low ? 0.001 : high - low), 0), 1);
        return (frequency / factor) * ramp + frequency * (1 - ramp);
      });
    }
  }
}

/** What cosines and sines are multiplied by. */
const amplitude = ({ scaling }: Rope): number => (scaling !== null && "attentionFactor" in scaling ? scaling.attentionFactor : 1);

/** The rows of one set of frequencies. Angles are computed in double precision: in single, position 32768 would be off by 2e-3 radians. */
export function rotaryTable(frequencies: Float64Array, positions: ArrayLike<number>, scale = 1): RotaryTable {
  const width = frequencies.length;
  const rows = positions.length;
  const cos = new Float32Array(rows * width);
  const sin = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < width; i++) {
      const angle = positions[row]! * frequencies[i]!;
      cos[row * width + i] = scale * Math.cos(angle);
      sin[row * width + i] = scale * Math.sin(angle);
    }
  }
  return { cos, sin, rows, width };
}

/** Rotary rows for positions of sequences, of every set of a model. What was computed for one prompt serves shorter ones. */
export class RotaryTables {
  private readonly sets: readonly RopeSet[];
  private readonly prompts = new Map<string, { readonly frequencies: Float64Array; readonly table: RotaryTable }>();

  constructor(private readonly config: RopeConfig) {
    this.sets = ropeSets(config);
  }

  /**
   * Rows for `positions`, all turned as in a sequence of `length` tokens, as graph inputs by name.
   * @param length default: the last position + 1
   */
  rows(positions: ArrayLike<number>, length = positions[positions.length - 1]! + 1): Map<string, { readonly data: Float32Array; readonly shape: readonly [number, number] }> {
    return this.named(({ rope }) => rotaryTable(inverseFrequencies(rope, this.config.rotaryDim, length), positions, amplitude(rope)));
  }

  /** The mean of the rows of `count` positions from `start` on, turned as in a sequence of `start` tokens, as graph inputs by name. */
  mean(start: number, count: number): ReturnType<RotaryTables["rows"]> {
    const rows = this.rows(Int32Array.from({ length: count }, (_, i) => start + i), start);
    return new Map([...rows].map(([name, { data, shape: [, width] }]) => {
      const sums = new Float64Array(width);
      data.forEach((value, i) => (sums[i % width]! += value / count));
      return [name, { data: Float32Array.from(sums), shape: [1, width] as const }];
    }));
  }

  /** The same for a prompt of `n` tokens. @param length of the sequence that it is the start of; default `n` */
  prompt(n: number, length = n): ReturnType<RotaryTables["rows"]> {
    return this.named(({ suffix, rope }) => {
      const frequencies = inverseFrequencies(rope, this.config.rotaryDim, length);
      let known = this.prompts.get(suffix);
      if (!known || known.table.rows < n || known.frequencies.some((frequency, i) => frequency !== frequencies[i])) {
        known = { frequencies, table: rotaryTable(frequencies, Int32Array.from({ length: n }, (_, i) => i), amplitude(rope)) };
        this.prompts.set(suffix, known);
      }
      const { cos, sin, width } = known.table;
      return { cos: cos.subarray(0, n * width), sin: sin.subarray(0, n * width), rows: n, width };
    });
  }

  /** Rows for tokens that are added one by one from `start`: each is the last of its sequence. */
  steps(start: number, count: number): ReturnType<RotaryTables["rows"]> {
    const width = this.config.rotaryDim / 2;
    return this.named(({ rope }) => {
      const table = { cos: new Float32Array(count * width), sin: new Float32Array(count * width), rows: count, width };
      for (let row = 0; row < count; row++) {
        const { cos, sin } = rotaryTable(inverseFrequencies(rope, this.config.rotaryDim, start + row + 1), [start + row], amplitude(rope));
        table.cos.set(cos, row * width);
        table.sin.set(sin, row * width);
      }
      return table;
    });
  }

  private named(tableOf: (set: RopeSet) => RotaryTable): ReturnType<RotaryTables["rows"]> {
    return new Map(this.sets.flatMap((set) => {
      const { cos, sin, rows, width } = tableOf(set);
      const shape = [rows, width] as const;
      return [[`cos${set.suffix}`, { data: cos, shape }], [`sin${set.suffix}`, { data: sin, shape }]] as const;
    }));
  }
}
