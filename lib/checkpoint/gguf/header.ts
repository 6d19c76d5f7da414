// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
import { open, stat } from "node:fs/promises";
import { elementCount } from "../dtype.js";

/** Element types that can be read; ggml's numbers for them and bytes of a block. */
export const ggmlTypes = {
  F32: { code: 0, block: 1, bytes: 4 },
  F16: { code: 1, block: 1, bytes: 2 },
  Q4_0: { code: 2, block: 32, bytes: 18 },
  Q8_0: { code: 8, block: 32, bytes: 34 },
  Q6_K: { code: 14, block: 256, bytes: 210 },
  BF16: { code: 30, block: 1, bytes: 2 },
} as const;
export type GgmlType = keyof typeof ggmlTypes;

/** A tensor of a GGUF file, its shape row-major (the file has it the other way round). */
export interface GgufTensor {
  readonly name: string;
  readonly type: GgmlType;
  readonly shape: readonly number[];
  readonly file: string;
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

export interface GgufHeader {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/**
 * Reads the header of a GGUF file.
 * @throws an error that names the file, and the tensor where there is one: not GGUF, big-endian, one of several shards, an element
 * type that cannot be read, a tensor beyond the file's end
 */
export async function readGgufHeader(file: string): Promise<GgufHeader> {
  const handle = await open(file, "r");
  const magic = Buffer.alloc(4);
  await handle.read(magic, 0, 4, 0).finally(() => handle.close());
  if (magic.toString("latin1") !== "GGUF") throw new Error(`${file}: not a GGUF file`);
  const { GGMLQuantizationType, gguf } = await import("@huggingface/gguf");
  const { metadata, tensorInfos, tensorDataOffset, littleEndian } = await gguf(file, { allowLocalFile: true }).catch((error: Error) => {
    throw new Error(`${file}: the GGUF header cannot be read (${error.message})`);
  });
  if (!littleEndian) throw new Error(`${file}: byte order big (must be little)`);
  const fields = metadata as unknown as Record<string, unknown>;
  if (Number(fields["split.count"] ?? 1) > 1) throw new Error(`${file}: one of ${String(fields["split.count"])} shards (join them: llama-gguf-split --merge)`);
  const { size } = await stat(file);
  // The library reads zeros where the file has ended.
  if (Number(tensorDataOffset) > size) throw new Error(`${file}: ${size} bytes (truncated inside its header)`);
  const tensors = new Map<string, GgufTensor>();
  for (const { name, shape, dtype, offset } of tensorInfos) {
    const type = (Object.keys(ggmlTypes) as GgmlType[]).find((each) => ggmlTypes[each].code === (dtype as number));
    if (!type) throw new Error(`${file}: tensor ${name}: type ${GGMLQuantizationType[dtype] ?? dtype} (supported: ${Object.keys(ggmlTypes).join(", ")})`);
    const { block, bytes } = ggmlTypes[type];
    const dims = shape.map(Number).reverse();
    const count = elementCount(dims);
    if (!Number.isSafeInteger(count) || (dims.at(-1) ?? 1) % block !== 0) throw new Error(`${file}: tensor ${name}: shape [${dims.join(", ")}] (rows of ${type} must be multiples of ${block})`);
    const start = Number(tensorDataOffset + offset);
    const length = (count / block) * bytes;
    if (start + length > size) throw new Error(`${file}: tensor ${name}: ends at byte ${start + length} of a file of ${size} bytes (truncated)`);
    tensors.set(name, { name, type, shape: dims, file, offset: start, length });
  }
  return { metadata: fields, tensors };
}
