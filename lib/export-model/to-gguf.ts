// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
import { open } from "node:fs/promises";
import { bytesOf, encodeFloats } from "../checkpoint/dtype.js";
import { ggmlTypes, type GgmlType } from "../checkpoint/gguf/types.js";
import { ggufSource, interleavedRows } from "../checkpoint/gguf/names.js";
import { encodeFloat16 } from "../checkpoint/half.js";
import { requiredTensors } from "../checkpoint/required.js";
import type { Checkpoint, StoredTensor } from "../checkpoint/types.js";
import { allValues, weightValues } from "../checkpoint/values.js";
import { ggufHeader, type GgufEntry } from "./gguf-header.js";
import { ggufMetadata, ropeFactors } from "./gguf-metadata.js";
import type { ExportDtype } from "./options.js";
import { requireHalf } from "./half.js";

const ALIGNMENT = 32;

interface Planned extends GgufEntry {
  readonly values: () => AsyncIterable<Float32Array> | Iterable<Float32Array>;
  readonly elements: number;
  /** Bytes. */
  readonly length: number;
}

/** Writes a GGUF file with the tokenizer inside it. @returns notes */
export async function toGguf(checkpoint: Checkpoint, file: string, dtype: ExportDtype, count: (elements: number) => void): Promise<string[]> {
  const { metadata, architecture, notes } = await ggufMetadata(checkpoint, dtype);
  const { config } = checkpoint;
  let offset = 0;
  const plan = (name: string, shape: readonly number[], values: Planned["values"]): Planned => {
    const type = typeOf(dtype, shape);
    const elements = shape.reduce((a, b) => a * b, 1);
    const length = (elements / ggmlTypes[type].block) * ggmlTypes[type].bytes;
    const planned = { name, type, shape, offset, length, elements, values };
    offset += Math.ceil(length / ALIGNMENT) * ALIGNMENT;
    return planned;
  };
  const factors = ropeFactors(config);
  const tensors = [
    ...(factors ? [plan("rope_freqs.weight", [factors.length], () => [factors])] : []),
    ...requiredTensors(config).map(({ name, shape }) => {
      const stored = checkpoint.tensors.get(name)!;
      const { name: own, interleavedHeads: heads } = ggufSource(name, architecture, config);
      return plan(own, shape, () => (heads === null ? weightValues(stored) : interleaved(stored, heads, config.headDim)));
    }),
  ];
  const handle = await open(file, "wx");
  try {
    await handle.writeFile(await ggufHeader(metadata, tensors, ALIGNMENT));
    for (const tensor of tensors) {
      for await (const values of tensor.values()) {
        await handle.writeFile(encoded(tensor, values));
        count(values.length);
      }
      await handle.writeFile(new Uint8Array(-tensor.length & (ALIGNMENT - 1)));
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return notes;
}

/** Vectors stay in float32, as llama.cpp has them, and so do matrices whose rows are no whole blocks. */
function typeOf(dtype: ExportDtype, shape: readonly number[]): GgmlType {
  if (shape.length < 2) return "F32";
  if (dtype === "q8_0") return shape.at(-1)! % ggmlTypes.Q8_0.block === 0 ? "Q8_0" : "F16";
  return ({ fp32: "F32", fp16: "F16", bf16: "BF16" } as const)[dtype];
}

function encoded({ name, type }: Planned, values: Float32Array): Uint8Array {
  if (type === "Q8_0") return q8(values);
  if (type === "F16") requireHalf(name, values);
  return encodeFloats(type as "F32" | "F16" | "BF16", values);
}

/** Blocks of 32: the scale, largest magnitude / 127 in half precision, and 32 signed bytes. */
function q8(values: Float32Array): Uint8Array {
  const { block, bytes } = ggmlTypes.Q8_0;
  const blocks = values.length / block;
  const out = new Uint8Array(blocks * bytes);
  const levels = new Int8Array(out.buffer);
  const scales = new Float32Array(blocks);
  for (let b = 0; b < blocks; b++) {
    const part = values.subarray(b * block, (b + 1) * block);
    const scale = part.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
    scales[b] = scale;
    for (let i = 0; i < block; i++) levels[b * bytes + 2 + i] = scale === 0 ? 0 : Math.round(part[i]! / scale);
  }
  const halves = bytesOf(encodeFloat16(scales));
  for (let b = 0; b < blocks; b++) out.set(halves.subarray(2 * b, 2 * b + 2), b * bytes);
  return out;
}

/** Rows in the order that llama.cpp turns them in: the halves of each head interleaved. */
async function* interleaved(stored: StoredTensor, heads: number, headDim: number): AsyncGenerator<Float32Array> {
  const values = await allValues(stored);
  const there = interleavedRows(heads, headDim);
  const width = values.length / there.length;
  const out = new Float32Array(values.length);
  there.forEach((to, from) => out.set(values.subarray(from * width, (from + 1) * width), to * width));
  yield out;
}
