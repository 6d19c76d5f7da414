import { blockRange, blocksOf, quantBytes, zeroPointBytes, type QuantizedRows } from "./quantize.js";

const TOP = 15;
/** Shares of a block's range that the 16 levels span: the fewer elements lie at its ends, the finer steps are worth clipping those. */
const spans = [1, 0.94, 0.88, 0.82] as const;

/**
 * Rounds each block to 16 levels around a zero point, zero staying exact, with the scale and zero point of the smallest square error among some that
 * span about the block's range. Slower than `quantizeRows` and nearer, most of all to numbers that were few levels before.
 * @param values `[rows, columns]`
 * @throws on a value that is not finite
 */
export function nearestRows(values: Float32Array, columns: number, blockSize: number): QuantizedRows {
  const rows = values.length / columns;
  const blocks = blocksOf(columns, blockSize);
  const [rowBytes, pointBytes] = [quantBytes(columns, 4, blockSize), zeroPointBytes(columns, 4, blockSize)];
  const quants = new Uint8Array(rows * rowBytes);
  const scales = new Float32Array(rows * blocks);
  const zeroPoints = new Uint8Array(rows * pointBytes);
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const start = row * columns + block * blockSize;
      const end = Math.min(start + blockSize, (row + 1) * columns);
      const { scale, zero } = fitted(values, start, end, row);
      scales[row * blocks + block] = scale;
      zeroPoints[row * pointBytes + (block >> 1)]! |= zero << (4 * (block & 1));
      const inverse = scale === 0 ? 0 : 1 / scale;
      const target = row * rowBytes + (block * blockSize) / 2;
      for (let i = 0; i < blockSize; i++) quants[target + (i >> 1)]! |= (start + i < end ? levelOf(values[start + i]! * inverse, zero) : zero) << (4 * (i & 1));
    }
  }
  return { quants, scales, zeroPoints };
}

/** The level nearest to so many steps from zero. */
function levelOf(steps: number, zero: number): number {
  // Cut off rather than rounded: `Math.round` takes several times as long, and this is all that the search does.
  const level = steps + zero + 0.5;
  return level < 0 ? 0 : level >= TOP + 1 ? TOP : level | 0;
}

/** The scale, in single precision, and the zero point of a block. */
function fitted(values: Float32Array, start: number, end: number, row: number): { scale: number; zero: number } {
  const { low, high } = blockRange(values, start, end, row);
  let [scale, best, bestGain] = [0, 8, 0];
  for (const span of spans) {
    const step = ((high - low) * span) / TOP;
    const inverse = 1 / step;
    if (!Number.isFinite(inverse)) break;
    // In the middle, unless zero itself would then have no level.
    const exact = Math.max(0, Math.min(TOP, (TOP - (low + high) * inverse) / 2));
    for (const zero of [Math.floor(exact), Math.ceil(exact)]) {
      let [along, size] = [0, 0];
      for (let i = start; i < end; i++) {
        const value = values[i]!;
        const level = levelOf(value * inverse, zero) - zero;
        along += value * level;
        size += level * level;
      }
      // Of these levels the best scale is along / size, and then the square error is that of zeros less this.
      const gain = size === 0 ? 0 : (along * along) / size;
      if (gain > bestGain) [scale, best, bestGain] = [Math.fround(along / size), zero, gain];
    }
  }
  return { scale, zero: best };
}
