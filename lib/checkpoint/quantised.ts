import { headName, scalesName, withHead, zeroPointsName } from "./encode.js";
import { BLOCK, blocksOf, dequantizeRows, quantBytes, zeroPointBytes, type Bits } from "./quantize.js";
import { requiredTensors, type RequiredTensor } from "./required.js";
import { readTensor } from "./safetensors.js";
import type { ModelConfig, Quantization, StoredTensor } from "./types.js";

/**
 * Joins what a file has of a quantised tensor (elements, scales, zero points) to one tensor with the shape that it stands for.
 * Tensors without scales go through unchanged.
 * @throws on parts whose shapes do not fit
 */
export function joinQuantised(config: ModelConfig, stored: ReadonlyMap<string, StoredTensor>): ReadonlyMap<string, StoredTensor> {
  if (![...stored.keys()].some((name) => name.endsWith(".scales"))) return stored;
  const joined = new Map(stored);
  for (const tensor of tensorsOf(config, stored)) {
    const scales = stored.get(scalesName(tensor.name));
    const quants = stored.get(tensor.name);
    if (!scales || !quants) continue;
    const zeroPoints = stored.get(zeroPointsName(tensor.name)) ?? null;
    joined.set(tensor.name, { ...quants, shape: tensor.shape, quantization: quantization(tensor, quants, scales, zeroPoints) });
    joined.delete(scales.name);
    if (zeroPoints) joined.delete(zeroPoints.name);
  }
  return joined;
}

/** What the model needs, and a head of its own where the embedding serves as one but is held otherwise. */
function tensorsOf(config: ModelConfig, stored: ReadonlyMap<string, StoredTensor>): RequiredTensor[] {
  const tensors = requiredTensors(config);
  return stored.has(headName) && !tensors.some(({ name }) => name === headName) ? withHead(tensors) : tensors;
}

function quantization({ name, shape }: RequiredTensor, quants: StoredTensor, scales: StoredTensor, zeroPoints: StoredTensor | null): Quantization {
  const [rows, columns] = shape as [number, number];
  const bits = ((quants.shape[2] ?? 0) * 8) / BLOCK;
  const blocks = blocksOf(columns);
  const fits = (tensor: StoredTensor, dtype: string, expected: readonly number[]) => tensor.dtype === dtype && tensor.shape.join() === expected.join();
  if ((bits !== 4 && bits !== 8) || !fits(quants, "U8", [rows, blocks, quantBytes(columns, bits) / blocks]) || !fits(scales, "F32", [rows, blocks])
    || (zeroPoints && !fits(zeroPoints, "U8", [rows, zeroPointBytes(columns, bits)]))) {
    throw new Error(`tensor ${name}: ${quants.file} (its quantised parts do not fit the shape [${shape.join(", ")}])`);
  }
  return { bits, scales, zeroPoints };
}

/** The values that a quantised tensor stands for, `[out, in]`. */
export async function dequantize(tensor: StoredTensor): Promise<Float32Array> {
  if (!tensor.quantization) throw new Error(`tensor ${tensor.name}: ${tensor.dtype} (is not quantised)`);
  const { bits, scales, zeroPoints } = tensor.quantization;
  const parts = {
    quants: (await readTensor(tensor)) as Uint8Array,
    scales: (await readTensor(scales)) as Float32Array,
    zeroPoints: zeroPoints ? ((await readTensor(zeroPoints)) as Uint8Array) : null,
  };
  return dequantizeRows(parts, tensor.shape[1]!, bits as Bits);
}
