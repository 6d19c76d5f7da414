import { blocksOf, dequantizeRows, quantBytes, zeroPointBytes } from "./quantize.js";
import { readByteRange, readFloatChunks, readTensor } from "./safetensors.js";
import type { StoredTensor } from "./types.js";

/** Values read at a time, unless told otherwise. */
const CHUNK = 2 ** 22;

/**
 * The values of a weight in order, float32, in pieces; quantised ones as the numbers they stand for, whole rows at a time.
 * A piece is valid until the next one is asked for.
 * @param elements values of a piece, at most (of a quantised tensor at least a row)
 */
export async function* weightValues(stored: StoredTensor, elements = CHUNK): AsyncGenerator<Float32Array> {
  if (!stored.quantization) {
    yield* readFloatChunks(stored, elements);
    return;
  }
  const { bits, blockSize, scales, zeroPoints, offsets, order } = stored.quantization;
  const inputs = order ? Array.from((await readTensor(order)) as BigInt64Array, Number) : null;
  const [rows, columns] = stored.shape as [number, number];
  const [blocks, quants, zeros] = [blocksOf(columns, blockSize), quantBytes(columns, bits, blockSize), zeroPointBytes(columns, bits, blockSize)];
  const step = Math.max(1, Math.floor(elements / columns));
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row);
    const part = (tensor: StoredTensor, bytes: number) => readByteRange(tensor, row * bytes, count * bytes);
    const floats = async (tensor: StoredTensor) => new Float32Array((await part(tensor, 4 * blocks)).buffer, 0, count * blocks);
    const values = dequantizeRows({
      quants: await part(stored, quants),
      scales: await floats(scales),
      zeroPoints: zeroPoints && (await part(zeroPoints, zeros)),
      offsets: offsets && (await floats(offsets)),
    }, columns, bits, blockSize);
    yield inputs ? reordered(values, inputs) : values;
  }
}

/** Rows of which column i is input `inputs[i]` -> rows with the inputs in their order. */
function reordered(values: Float32Array, inputs: readonly number[]): Float32Array {
  const out = new Float32Array(values.length);
  for (let row = 0; row < values.length; row += inputs.length) inputs.forEach((input, i) => (out[row + input] = values[row + i]!));
  return out;
}

/** All values of a weight in one array. */
export async function allValues(stored: StoredTensor): Promise<Float32Array> {
  const all = new Float32Array(stored.shape.reduce((a, b) => a * b, 1));
  let filled = 0;
  for await (const values of weightValues(stored)) {
    all.set(values, filled);
    filled += values.length;
  }
  return all;
}
