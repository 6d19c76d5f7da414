import { ggmlTypes, type GgmlType } from "../checkpoint/gguf/types.js";

/** A tensor as a file's header names it. */
export interface GgufEntry {
  readonly name: string;
  readonly type: GgmlType;
  /** Row-major; the file has it the other way round. */
  readonly shape: readonly number[];
  /** From the start of the data. */
  readonly offset: number;
}

/** A metadata value: what JavaScript does not tell apart has its kind beside it. */
export type GgufValue = string | boolean | readonly string[] | { readonly uint32: number } | { readonly float32: number } | { readonly int32s: readonly number[] } | { readonly float32s: readonly number[] };

/** Everything before the data, padded to `alignment` bytes. */
export async function ggufHeader(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly GgufEntry[], alignment: number): Promise<Uint8Array> {
  const { serializeGgufMetadata, GGUFValueType } = await import("@huggingface/gguf");
  const typed = (value: GgufValue) => {
    if (typeof value === "string") return { value, type: GGUFValueType.STRING };
    if (typeof value === "boolean") return { value, type: GGUFValueType.BOOL };
    if ("uint32" in value) return { value: value.uint32, type: GGUFValueType.UINT32 };
    if ("float32" in value) return { value: value.float32, type: GGUFValueType.FLOAT32 };
    if ("int32s" in value) return { value: value.int32s, type: GGUFValueType.ARRAY, subType: GGUFValueType.INT32 };
    if ("float32s" in value) return { value: value.float32s, type: GGUFValueType.ARRAY, subType: GGUFValueType.FLOAT32 };
    return { value, type: GGUFValueType.ARRAY, subType: GGUFValueType.STRING };
  };
  const fields = {
    version: { value: 3, type: GGUFValueType.UINT32 },
    tensor_count: { value: BigInt(tensors.length), type: GGUFValueType.UINT64 },
    kv_count: { value: BigInt(Object.keys(metadata).length), type: GGUFValueType.UINT64 },
    ...Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, typed(value)])),
  };
  // The tensors' entries follow at once: only after them the data are aligned.
  const head = serializeGgufMetadata(fields as unknown as Parameters<typeof serializeGgufMetadata>[0], { alignment: 1 });
  const all = Buffer.concat([head, ...tensors.map(entry)]);
  return Buffer.concat([all, Buffer.alloc(-all.length & (alignment - 1))]);
}

function entry({ name, type, shape, offset }: GgufEntry): Buffer {
  const text = Buffer.from(name);
  const bytes = Buffer.alloc(8 + text.length + 4 + 8 * shape.length + 4 + 8);
  let at = bytes.writeBigUInt64LE(BigInt(text.length), 0);
  at += text.copy(bytes, at);
  at = bytes.writeUInt32LE(shape.length, at);
  for (const size of [...shape].reverse()) at = bytes.writeBigUInt64LE(BigInt(size), at);
  at = bytes.writeUInt32LE(ggmlTypes[type].code, at);
  bytes.writeBigUInt64LE(BigInt(offset), at);
  return bytes;
}
