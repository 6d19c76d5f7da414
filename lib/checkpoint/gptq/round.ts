import { blocksOf, quantBytes, zeroPointBytes, type QuantizedRows } from "../quantize.js";
import type { InputFactor, MatrixProduct } from "./factor.js";

const TOP = 15;
const MIDDLE = 8;
/** Shares of a block's range that the 16 levels may span. */
const spans = [1.06, 1, 0.95, 0.9, 0.85, 0.8, 0.74, 0.67] as const;
/** How many of the best scales by themselves are tried with their errors made up for. */
const TRIED = 3;

export interface RoundOptions {
  readonly blockSize: number;
  /** The zero point stays in the middle. */
  readonly symmetric: boolean;
  readonly product: MatrixProduct;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Rounds a matrix to blocks of 4 bits so that its products with inputs of known second moments change least: input by input, each weight moved for the
 * errors of those before it, each block's scale and zero point chosen when its turn comes.
 * @param values `[rows, factor.inputs]`
 * @throws on a value that is not finite
 */
export async function roundByInputs(values: Float32Array, factor: InputFactor, { blockSize, symmetric, product, signal }: RoundOptions): Promise<QuantizedRows> {
  const { inputs, order, starts, shares, costs } = factor;
  const rows = values.length / inputs;
  const blocks = blocksOf(inputs, blockSize);
  const [rowBytes, pointBytes] = [quantBytes(inputs, 4, blockSize), zeroPointBytes(inputs, 4, blockSize)];
  const quants = new Uint8Array(rows * rowBytes);
  const scales = new Float32Array(rows * blocks);
  const zeroPoints = symmetric ? null : new Uint8Array(rows * pointBytes);
  // Inputs in their order by rows: what is known so far is one piece.
  const errors = new Float32Array(inputs * rows);
  const rounder = new BlockRounder(blockSize, symmetric);
  for (let turn = 0; turn < blocks; turn++) {
    signal?.throwIfAborted();
    const [start, end] = [starts[turn]!, starts[turn + 1]!];
    const count = end - start;
    const block = Math.floor(order[start]! / blockSize);
    let moved: Float32Array | null = null;
    if (shares.length > 0) {
      const before = new Float32Array(count * start);
      for (let i = 0; i < count; i++) before.set(shares.subarray((start + i) * inputs, (start + i) * inputs + start), i * start);
      if (start > 0) moved = await product(before, errors.subarray(0, start * rows), count, start, rows);
    }
    rounder.begin(factor, start, end);
    const own = costs.subarray(start, end);
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < count; i++) {
        const value = values[row * inputs + order[start + i]!]!;
        if (!Number.isFinite(value)) throw new Error(`quantisation: a value in row ${row} is not finite`);
        rounder.weights[i] = value;
        rounder.targets[i] = moved ? value + moved[i * rows + row]! : value;
      }
      rounder.round(own);
      const { scale, zero, levels, left } = rounder;
      scales[row * blocks + block] = scale;
      if (zeroPoints) zeroPoints[row * pointBytes + (block >> 1)]! |= zero << (4 * (block & 1));
      const target = row * rowBytes + (block * blockSize) / 2;
      for (let i = 0; i < count; i++) {
        const column = order[start + i]! - block * blockSize;
        quants[target + (column >> 1)]! |= levels[i]! << (4 * (column & 1));
        errors[(start + i) * rows + row] = left[i]!;
      }
      for (let column = count; column < blockSize; column++) quants[target + (column >> 1)]! |= zero << (4 * (column & 1));
    }
  }
  return { quants, scales, zeroPoints };
}

/** Rounds the weights of one block of one row after another. */
class BlockRounder {
  /** As they are, and as they are to be for the errors of blocks before. */
  readonly weights: Float64Array;
  readonly targets: Float64Array;
  /** What came of them. */
  levels: Uint8Array;
  left: Float64Array;
  scale = 0;
  zero = MIDDLE;
  private count = 0;
  private within: Float64Array = new Float64Array(0);
  private otherLevels: Uint8Array;
  private otherLeft: Float64Array;
  private readonly candidates = Array.from({ length: TRIED }, () => ({ gain: 0, scale: 0, zero: MIDDLE }));

  constructor(blockSize: number, private readonly symmetric: boolean) {
    [this.weights, this.targets, this.left, this.otherLeft] = Array.from({ length: 4 }, () => new Float64Array(blockSize)) as [Float64Array, Float64Array, Float64Array, Float64Array];
    [this.levels, this.otherLevels] = [new Uint8Array(blockSize), new Uint8Array(blockSize)];
  }

  /** The block of inputs `start` to `end` of the order. */
  begin({ inputs, shares }: InputFactor, start: number, end: number): void {
    this.count = end - start;
    this.within = new Float64Array(this.count ** 2);
    if (shares.length === 0) return;
    for (let i = 0; i < this.count; i++) for (let j = 0; j < i; j++) this.within[i * this.count + j] = shares[(start + i) * inputs + start + j]!;
  }

  round(costs: Float32Array): void {
    this.search(costs);
    let least = Infinity;
    for (const { gain, scale, zero } of this.candidates) {
      if (gain === 0 && least < Infinity) break;
      const loss = this.inTurn(costs, scale, zero);
      if (loss >= least) continue;
      least = loss;
      [this.scale, this.zero] = [scale, zero];
      [this.levels, this.otherLevels] = [this.otherLevels, this.levels];
      [this.left, this.otherLeft] = [this.otherLeft, this.left];
    }
  }

  /** Each weight to its nearest level, moved for the errors of those before it. @returns what that costs */
  private inTurn(costs: Float32Array, scale: number, zero: number): number {
    const { count, within, targets, weights, otherLeft: left, otherLevels: levels } = this;
    const inverse = scale === 0 ? 0 : 1 / scale;
    let loss = 0;
    for (let i = 0; i < count; i++) {
      let target = targets[i]!;
      const from = i * count;
      for (let j = 0; j < i; j++) target += within[from + j]! * left[j]!;
      const level = levelOf(target * inverse, zero);
      const value = (level - zero) * scale;
      levels[i] = level;
      left[i] = weights[i]! - value;
      loss += costs[i]! * (target - value) ** 2;
    }
    return loss;
  }

  /** The scales and zero points of the smallest square errors, each weighted by its cost. */
  private search(costs: Float32Array): void {
    const { count, targets, candidates, symmetric } = this;
    let [low, high] = [0, 0];
    for (let i = 0; i < count; i++) {
      low = Math.min(low, targets[i]!);
      high = Math.max(high, targets[i]!);
    }
    for (const each of candidates) [each.gain, each.scale, each.zero] = [0, 0, MIDDLE];
    const largest = Math.max(-low, high);
    for (const span of spans) {
      // The levels around zero are 8 below and 7 above it: the larger side gets the 8, by a negative scale where it is the upper one.
      const step = symmetric ? ((-low >= high ? 1 : -1) * largest * span) / MIDDLE : ((high - low) * span) / TOP;
      const inverse = 1 / step;
      if (!Number.isFinite(inverse)) break;
      const exact = symmetric ? MIDDLE : Math.max(0, Math.min(TOP, (TOP - (low + high) * inverse) / 2));
      const last = Math.ceil(exact);
      for (let zero = Math.floor(exact); zero <= last; zero++) {
        let [along, size] = [0, 0];
        for (let i = 0; i < count; i++) {
          const level = levelOf(targets[i]! * inverse, zero) - zero;
          const weighted = costs[i]! * level;
          along += weighted * targets[i]!;
          size += weighted * level;
        }
        // Of these levels the best scale is along / size, and then the error is that of zeros less this.
        if (size > 0) this.consider((along * along) / size, Math.fround(along / size), zero);
      }
    }
  }

  private consider(gain: number, scale: number, zero: number): void {
    const { candidates } = this;
    let place = candidates.length;
    while (place > 0 && gain > candidates[place - 1]!.gain) place--;
    if (place === candidates.length) return;
    const last = candidates.pop()!;
    [last.gain, last.scale, last.zero] = [gain, scale, zero];
    candidates.splice(place, 0, last);
  }
}

/** The level nearest to so many steps from zero. */
function levelOf(steps: number, zero: number): number {
  // Cut off rather than rounded: `Math.round` takes several times as long.
  const level = steps + zero + 0.5;
  return level < 0 ? 0 : level >= TOP + 1 ? TOP : level | 0;
}
