import { elementCount } from "../dtype.js";
import { inBlocks, offsetsName, scalesName, type BlockForm } from "../encode.js";
import { requireFreeSpace } from "../free-space.js";
import type { LosslessBlocks } from "../near.js";
import { dequantizeRows, requireFiniteScales } from "../quantize.js";
import { readByteRange, readFloatChunks, tensorBytes, type TensorToWrite } from "../safetensors.js";
import { writeShards } from "../shards.js";
import { formats, fromGgml } from "./blocks.js";
import { interleavedRows } from "./names.js";
import { asStored, inPlace, type LocatedTensor } from "./tensors.js";
import { ggmlTypes, isPlain, type BlockType, type GgmlType } from "./types.js";

/** Elements worked on at a time. */
const CHUNK = 2 ** 21;

/** A matrix in blocks as it is held without loss; null of others. */
export function losslessBlocks({ name, shape, tensor: { type } }: LocatedTensor): LosslessBlocks | null {
  if (isPlain(type) || shape.length !== 2) return null;
  const { bits, blockSize, offsets } = formats[type];
  return { name, rows: shape[0]!, columns: shape[1]!, bits, blockSize, offsets, fileBits: bitsInFile(type) };
}

/** What an element takes in the file. */
export const bitsInFile = (type: GgmlType): number => (8 * ggmlTypes[type].bytes) / ggmlTypes[type].block;

/**
 * Writes the weights of a GGUF file with quantised tensors as blocks that the engine multiplies, some rows at a time, with nothing
 * lost: each stands for the float32 numbers of ggml's own dequantisers. Plain ones are copied.
 * @param forms those that are to be in other blocks, by name
 */
export async function convertGguf(folder: string, located: readonly LocatedTensor[], label: string, forms: ReadonlyMap<string, BlockForm>, onProgress?: (done: number, total: number) => void): Promise<void> {
  const total = located.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  let done = 0;
  const count = (elements: number) => onProgress?.((done += elements), total);
  const tensors = located.flatMap((tensor) => {
    const { name, tensor: { type } } = tensor;
    if (isPlain(type)) return [plain(tensor, count)];
    const form = forms.get(name);
    return form ? inBlocks(tensor, form, () => rowValues(tensor, type, count)) : quantised(tensor, type, count);
  });
  await requireFreeSpace(folder, tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0), label);
  await writeShards(folder, tensors, { format: "pt", sdtp_weights: "gguf" });
}

type Count = (elements: number) => void;

function plain(located: LocatedTensor, count: Count): TensorToWrite {
  const { name, shape } = located;
  const stored = inPlace(located);
  async function* data() {
    for await (const values of readFloatChunks(stored, CHUNK)) {
      yield values;
      count(values.length);
    }
  }
  return { name, shape, dtype: stored.dtype, data };
}

function quantised(located: LocatedTensor, type: BlockType, count: Count): TensorToWrite[] {
  const { name, shape } = located;
  const { bits, blockSize, offsets: hasOffsets } = formats[type];
  const columns = shape.at(-1)!;
  if (shape.length !== 2) {
    // A vector: nothing multiplies it in blocks.
    const data = async function* () {
      for await (const bytes of rowPieces(located, type)) yield dequantizeRows(fromGgml(bytes, type), columns, bits, blockSize);
      count(columns);
    };
    return [{ name, shape, dtype: "F32", data }];
  }
  const rows = shape[0]!;
  const blocks = columns / blockSize;
  // Known when the elements are written, which is before these are asked for.
  let scales: Float32Array;
  let offsets: Float32Array;
  async function* quants() {
    [scales, offsets] = [new Float32Array(rows * blocks), new Float32Array(hasOffsets ? rows * blocks : 0)];
    let filled = 0;
    for await (const bytes of rowPieces(located, type)) {
      const piece = fromGgml(bytes, type);
      requireFiniteScales(located.tensor.name, piece, blocks, filled / blocks);
      scales.set(piece.scales, filled);
      if (piece.offsets) offsets.set(piece.offsets, filled);
      filled += piece.scales.length;
      yield piece.quants;
      count(piece.scales.length * blockSize);
    }
  }
  return [
    { name, dtype: "U8", shape: [rows, blocks, (blockSize * bits) / 8], data: quants },
    { name: scalesName(name), dtype: "F32", shape: [rows, blocks], data: () => scales },
    ...(hasOffsets ? [{ name: offsetsName(name), dtype: "F32" as const, shape: [rows, blocks], data: () => offsets }] : []),
  ];
}

/** What a matrix's rows stand for, some at a time. */
async function* rowValues(located: LocatedTensor, type: BlockType, count: Count): AsyncGenerator<Float32Array> {
  const { bits, blockSize } = formats[type];
  for await (const bytes of rowPieces(located, type)) {
    const values = dequantizeRows(fromGgml(bytes, type), located.shape[1]!, bits, blockSize);
    yield values;
    count(values.length);
  }
}

/** The bytes of a weight's rows in order, interleaved heads put right, whole rows at a time. */
async function* rowPieces({ shape, tensor, source: { rows, interleavedHeads: heads } }: LocatedTensor, type: BlockType): AsyncGenerator<Uint8Array> {
  const stored = asStored(tensor);
  const count = shape.length === 1 ? 1 : shape[0]!;
  const columns = shape.at(-1)!;
  const rowBytes = (columns / ggmlTypes[type].block) * ggmlTypes[type].bytes;
  const start = (rows?.from ?? 0) * rowBytes;
  // Whole heads at a time, where rows change places within them.
  const unit = heads === null ? 1 : count / heads;
  const step = unit * Math.max(1, Math.floor(CHUNK / columns / unit));
  for (let row = 0; row < count; row += step) {
    const length = Math.min(step, count - row);
    const bytes = await readByteRange(stored, start + row * rowBytes, length * rowBytes);
    yield heads === null ? bytes : ordered(bytes, interleavedRows(length / unit, unit));
  }
}

/** Rows in another order. */
function ordered(bytes: Uint8Array, rows: readonly number[]): Uint8Array {
  const width = bytes.length / rows.length;
  const out = new Uint8Array(bytes.length);
  rows.forEach((from, to) => out.set(bytes.subarray(from * width, (from + 1) * width), to * width));
  return out;
}
