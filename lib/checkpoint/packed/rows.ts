import { blocksOf, quantBytes, zeroPointBytes, type Bits, type QuantizedRows } from "../quantize.js";

/** Sizes of blocks that products are fast in, largest first. */
const blockSizes = [128, 64, 32, 16] as const;

/** The largest block that no group of `groupSize` elements ends inside of; null: there is none. */
export function blockSizeOf(groupSize: number, columns: number): number | null {
  if (groupSize >= columns) return blockSizes.find((size) => size <= columns) ?? 16;
  return blockSizes.find((size) => groupSize % size === 0) ?? null;
}

/** A quantised matrix `[rows, columns]` to be put into blocks. */
export interface Levels {
  readonly rows: number;
  readonly columns: number;
  readonly bits: Bits;
  readonly blockSize: number;
  /** Elements of a row that share scale and zero point. */
  readonly groupSize: number;
  /** Fills `out` `[columns]` with the levels of a row, 0 … 2^bits - 1. */
  readonly fill: (row: number, out: Uint8Array) => void;
  /** Of a row and a group. */
  readonly scale: (row: number, group: number) => number;
  /** The level that stands for zero; null: the middle one, everywhere. */
  readonly zero: ((row: number, group: number) => number) | null;
}

/** The same in blocks: element for element the same level, zero point and scale. */
export function toBlocks({ rows, columns, bits, blockSize, groupSize, fill, scale, zero }: Levels): QuantizedRows {
  const blocks = blocksOf(columns, blockSize);
  const [rowBytes, pointBytes] = [quantBytes(columns, bits, blockSize), zeroPointBytes(columns, bits, blockSize)];
  const quants = new Uint8Array(rows * rowBytes);
  const scales = new Float32Array(rows * blocks);
  const zeroPoints = zero ? new Uint8Array(rows * pointBytes) : null;
  // Elements after the last column meet no activation.
  const levels = new Uint8Array(blocks * blockSize);
  for (let row = 0; row < rows; row++) {
    fill(row, levels);
    const target = row * rowBytes;
    if (bits === 8) quants.set(levels, target);
    else for (let i = 0; i < rowBytes; i++) quants[target + i] = levels[2 * i]! | (levels[2 * i + 1]! << 4);
    for (let block = 0; block < blocks; block++) {
      const group = Math.floor((block * blockSize) / groupSize);
      scales[row * blocks + block] = scale(row, group);
      if (!zeroPoints) continue;
      const level = zero!(row, group);
      if (bits === 8) zeroPoints[row * pointBytes + block] = level;
      else zeroPoints[row * pointBytes + (block >> 1)]! |= level << (4 * (block & 1));
    }
  }
  return { quants, scales, zeroPoints };
}
