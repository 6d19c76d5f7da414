// Block-wise quantisation as ONNX Runtime's MatMulNBits reads it: blocks of elements along a row, each with a scale.
// https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits

/** Elements that share a scale (and a zero point), unless said otherwise. */
export const BLOCK = 32;

export type Bits = 4 | 8;

/** Rows `[rows, columns]` in blocks; the last block of a row is padded with zeros. */
export interface QuantizedRows {
  /** `[rows, blocks, blockSize * bits / 8]`; of two 4-bit elements in a byte the first is the low half. */
  readonly quants: Uint8Array;
  /** `[rows, blocks]` */
  readonly scales: Float32Array;
  /** `[rows, ceil(blocks * bits / 8)]`; null: 8 of 4 bits, 128 of 8. */
  readonly zeroPoints: Uint8Array | null;
  /** `[rows, blocks]`: an element is then `level * scale + offset`, each operation rounded to float32; null or absent: `(level - zero point) * scale`. */
  readonly offsets?: Float32Array | null;
}

export const blocksOf = (columns: number, blockSize = BLOCK): number => Math.ceil(columns / blockSize);
/** Bytes of one row's elements. */
export const quantBytes = (columns: number, bits: Bits, blockSize = BLOCK): number => blocksOf(columns, blockSize) * blockSize * bits / 8;
/** Bytes of one row's zero points. */
export const zeroPointBytes = (columns: number, bits: Bits, blockSize = BLOCK): number => Math.ceil((blocksOf(columns, blockSize) * bits) / 8);

/**
 * Rounds each block to 2^bits levels. Symmetric: the element of largest magnitude falls on the lowest level, zero on the middle
 * one. Asymmetric: the levels span the block's smallest to its largest element, and zero, which stays exact.
 * @param values `[rows, columns]`
 * @throws on a value that is not finite
 */
export function quantizeRows(values: Float32Array, columns: number, bits: Bits, symmetric: boolean, blockSize = BLOCK): QuantizedRows {
  const rows = values.length / columns;
  const blocks = blocksOf(columns, blockSize);
  const rowBytes = quantBytes(columns, bits, blockSize);
  const pointBytes = zeroPointBytes(columns, bits, blockSize);
  const quants = new Uint8Array(rows * rowBytes);
  const scales = new Float32Array(rows * blocks);
  const zeroPoints = symmetric ? null : new Uint8Array(rows * pointBytes);
  const [middle, top] = [2 ** (bits - 1), 2 ** bits - 1];
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const start = row * columns + block * blockSize;
      const end = Math.min(start + blockSize, (row + 1) * columns);
      const { low, high } = blockRange(values, start, end, row);
      // In single precision, as it is stored: rounding must see the scale that will be used.
      const scale = Math.fround(symmetric ? (-low >= high ? low : high) / -middle : (high - low) / top);
      const zero = symmetric || scale === 0 ? middle : Math.round(-low / scale);
      scales[row * blocks + block] = scale;
      if (zeroPoints) {
        if (bits === 8) zeroPoints[row * pointBytes + block] = zero;
        else zeroPoints[row * pointBytes + (block >> 1)]! |= zero << (4 * (block & 1));
      }
      const inverse = scale === 0 ? 0 : 1 / scale;
      const target = row * rowBytes + block * blockSize * bits / 8;
      for (let i = 0; i < blockSize; i++) {
        const level = start + i < end ? Math.round(values[start + i]! * inverse) + zero : zero;
        const clamped = level < 0 ? 0 : level > top ? top : level;
        if (bits === 8) quants[target + i] = clamped;
        else quants[target + (i >> 1)]! |= clamped << (4 * (i & 1));
      }
    }
  }
  return { quants, scales, zeroPoints };
}

/**
 * Products with quantised weights may make numbers of scales that are none (ONNX Runtime's with 8 bits do), so that nothing would show it later.
 * @param blocks of a row
 * @throws on a scale or offset that is not finite, naming tensor and row
 */
export function requireFiniteScales(name: string, { scales, offsets }: Pick<QuantizedRows, "scales" | "offsets">, blocks: number, firstRow = 0): void {
  for (const [what, values] of [["scale", scales], ["offset", offsets]] as const) {
    const at = values ? values.findIndex((value) => !Number.isFinite(value)) : -1;
    if (at >= 0) throw new Error(`tensor ${name}, row ${firstRow + Math.floor(at / blocks)}: a block's ${what} is ${values![at]} (must be finite: the file is damaged, or made of weights that were not finite)`);
  }
}

/** The smallest and the largest of a block's values and zero. @throws where one is not finite, naming the row */
export function blockRange(values: Float32Array, start: number, end: number, row: number): { low: number; high: number } {
  let [low, high] = [0, 0];
  for (let i = start; i < end; i++) {
    const value = values[i]!;
    if (value < low) low = value;
    else if (value > high) high = value;
    else if (Number.isNaN(value)) high = NaN;
  }
  if (!Number.isFinite(high - low)) throw new Error(`quantisation: a value in row ${row} is not finite`);
  return { low, high };
}

/** The values that quantised rows stand for, `[rows, columns]`. */
export function dequantizeRows({ quants, scales, zeroPoints, offsets }: QuantizedRows, columns: number, bits: Bits, blockSize = BLOCK): Float32Array {
  const blocks = blocksOf(columns, blockSize);
  const rows = scales.length / blocks;
  const rowBytes = quantBytes(columns, bits, blockSize);
  const pointBytes = zeroPointBytes(columns, bits, blockSize);
  const values = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const index = row * blocks + block;
      const scale = scales[index]!;
      const zero = offsets ? 0 : zeroPoints ? element(zeroPoints, row * pointBytes, block, bits) : 2 ** (bits - 1);
      const end = Math.min(columns, (block + 1) * blockSize);
      for (let column = block * blockSize; column < end; column++) {
        const value = (element(quants, row * rowBytes, column, bits) - zero) * scale;
        values[row * columns + column] = offsets ? Math.fround(value) + offsets[index]! : value;
      }
    }
  }
  return values;
}

function element(bytes: Uint8Array, start: number, index: number, bits: Bits): number {
  return bits === 8 ? bytes[start + index]! : (bytes[start + (index >> 1)]! >> (4 * (index & 1))) & 15;
}
