import { scalesName } from "../encode.js";
import { requireFreeSpace } from "../free-space.js";
import { blocksOf, quantizeRows, type QuantizedRows } from "../quantize.js";
import { requiredTensors, type RequiredTensor } from "../required.js";
import { readFloats, readStored, tensorBytes, type TensorToWrite } from "../safetensors.js";
import { writeShards } from "../shards.js";
import type { StoredTensor } from "../types.js";
import { fromQ4, fromQ6, fromQ8 } from "./blocks.js";
import type { GgufConfig } from "./config.js";
import { ggmlTypes, type GgufTensor } from "./header.js";
import { ggufName, interleavedHeads, interleavedRows } from "./names.js";

/** A tensor as a range of the file, for the readers of whole bytes. */
export const asStored = (tensor: GgufTensor): StoredTensor =>
  ({ ...tensor, dtype: tensor.type === "F32" || tensor.type === "F16" || tensor.type === "BF16" ? tensor.type : "U8" });

/**
 * Writes the weights of a GGUF file with quantised tensors as blocks that the engine multiplies, tensor by tensor: Q4_0 becomes
 * int4 and Q8_0 int8 with nothing lost, Q6_K is quantised anew in int8.
 */
export async function convertGguf(
  folder: string,
  { architecture, config }: GgufConfig,
  find: (name: string) => GgufTensor,
  label: string,
  onProgress?: (done: number, total: number) => void,
): Promise<void> {
  const required = requiredTensors(config);
  const total = required.reduce((sum, { name }) => sum + find(ggufName(name)).length, 0);
  let done = 0;
  const tensors = required.flatMap((tensor): TensorToWrite[] => {
    const source = find(ggufName(tensor.name));
    const heads = interleavedHeads(tensor.name, architecture, config);
    const rows = heads === null ? null : interleavedRows(heads, config.headDim);
    const count = () => onProgress?.((done += source.length), total);
    return encode(tensor, source, rows, count);
  });
  await requireFreeSpace(folder, tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0), label);
  await writeShards(folder, tensors, { format: "pt", sdtp_weights: "gguf" });
}

function encode({ name, shape }: RequiredTensor, source: GgufTensor, rows: readonly number[] | null, count: () => void): TensorToWrite[] {
  const stored = asStored(source);
  if (source.type === "F32" || source.type === "F16" || source.type === "BF16") {
    return [{ name, dtype: source.type, shape, data: async () => { const values = ordered(await readFloats(stored), rows); count(); return values; } }];
  }
  const [out, columns] = shape as [number, number];
  const blocks = blocksOf(columns);
  const bits = source.type === "Q4_0" ? 4 : 8;
  let parts: QuantizedRows;
  const quants = async () => {
    parts = await quantised(source, columns);
    count();
    return ordered(parts.quants, rows);
  };
  return [
    { name, dtype: "U8", shape: [out, blocks, (32 * bits) / 8], data: quants },
    { name: scalesName(name), dtype: "F32", shape: [out, blocks], data: () => ordered(parts.scales, rows) },
  ];
}

async function quantised(source: GgufTensor, columns: number): Promise<QuantizedRows> {
  const bytes = await readStored(asStored(source));
  if (source.type === "Q4_0") return fromQ4(bytes);
  if (source.type === "Q8_0") return fromQ8(bytes);
  // A row at a time would do; a whole vocabulary in float32 would not.
  const rowBytes = (columns / ggmlTypes.Q6_K.block) * ggmlTypes.Q6_K.bytes;
  const rows = bytes.length / rowBytes;
  const quants = new Uint8Array(rows * blocksOf(columns) * 32);
  const scales = new Float32Array(rows * blocksOf(columns));
  for (let row = 0; row < rows; row++) {
    const part = quantizeRows(fromQ6(bytes.subarray(row * rowBytes, (row + 1) * rowBytes)), columns, 8, true);
    quants.set(part.quants, row * part.quants.length);
    scales.set(part.scales, row * part.scales.length);
  }
  return { quants, scales, zeroPoints: null };
}

/** Rows in another order; null: as they are. */
function ordered<T extends Float32Array | Uint8Array>(values: T, rows: readonly number[] | null): T {
  if (!rows) return values;
  const width = values.length / rows.length;
  const out = values.slice() as T;
  rows.forEach((from, to) => out.set(values.subarray(from * width, (from + 1) * width), to * width));
  return out;
}

