import { BLOCK, blocksOf, dequantizeRows, quantBytes, zeroPointBytes } from "../checkpoint/quantize.js";
import { readByteRange, readFloatChunks } from "../checkpoint/safetensors.js";
import type { StoredTensor } from "../checkpoint/types.js";

/** Values read at a time. */
const CHUNK = 2 ** 22;
/** The largest number of half precision. */
const LARGEST_HALF = 65504;

/** The values of a weight in order, a whole number of rows or of blocks of 32 at a time; quantised ones as the numbers they stand for. */
export async function* weightValues(stored: StoredTensor): AsyncGenerator<Float32Array> {
  if (!stored.quantization) {
    yield* readFloatChunks(stored, CHUNK);
    return;
  }
  const { bits, scales, zeroPoints } = stored.quantization;
  const [rows, columns] = stored.shape as [number, number];
  const [blocks, quants, zeros] = [blocksOf(columns), quantBytes(columns, bits), zeroPointBytes(columns, bits)];
  const step = Math.max(1, Math.floor(CHUNK / (blocks * BLOCK)));
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row);
    const part = (tensor: StoredTensor, bytes: number) => readByteRange(tensor, row * bytes, count * bytes);
    const scale = await part(scales, 4 * blocks);
    yield dequantizeRows({
      quants: await part(stored, quants),
      scales: new Float32Array(scale.buffer, scale.byteOffset, count * blocks),
      zeroPoints: zeroPoints && (await part(zeroPoints, zeros)),
    }, columns, bits);
  }
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

/** @throws on a number that half precision has no room for: it would become infinite */
export function requireHalf(name: string, values: Float32Array): void {
  const at = values.findIndex((value) => Math.abs(value) > LARGEST_HALF && Number.isFinite(value));
  if (at >= 0) throw new Error(`tensor ${name}: ${values[at]} (fp16 ends at ${LARGEST_HALF}: take fp32 or bf16)`);
}
