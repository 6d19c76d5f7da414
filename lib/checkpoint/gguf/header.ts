// The header of a GGUF file: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
import { open, stat, type FileHandle } from "node:fs/promises";
import { elementCount } from "../dtype.js";
import { placeholder, PLACEHOLDER_BYTES } from "../placeholder.js";
import { HeaderBytes, HeaderEnds } from "./header-bytes.js";
import { ggmlType, ggmlTypes, typeName, type GgmlType } from "./types.js";

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

/** Bytes that are read at first; headers with a tokenizer take some millions. */
const FIRST_BYTES = 2 ** 20;
/** A header is never longer: far above what any model's takes, it bounds memory. */
const MOST_BYTES = 2 ** 29;

/**
 * Reads the header of one GGUF file; of a split model, of this part alone. Memory is bounded by the file's size.
 * @throws an error that names the file, and the key or tensor where there is one: not GGUF, big-endian, another version, truncated,
 * lengths or counts beyond the file, something twice, an element type that cannot be read, tensors that overlap or lie outside
 */
export async function readGgufHeader(file: string): Promise<GgufHeader> {
  const { size } = await stat(file);
  const handle = await open(file, "r");
  try {
    const other = placeholder(await beginning(handle, Math.min(size, PLACEHOLDER_BYTES)));
    if (other !== null) throw new Error(`${file}: ${other}`);
    for (let length = Math.min(size, FIRST_BYTES); ; length = Math.min(size, 4 * length)) {
      const bytes = await beginning(handle, length);
      try {
        return parse(new HeaderBytes(bytes, size, file), size, file);
      } catch (error) {
        if (!(error instanceof HeaderEnds)) throw error;
        if (length === size) throw new Error(`${file}: ${size} bytes (truncated inside its header)`);
        if (length >= MOST_BYTES) throw new Error(`${file}: a header of more than ${MOST_BYTES} bytes (damaged)`);
      }
    }
  } finally {
    await handle.close();
  }
}

async function beginning(handle: FileHandle, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, filled);
    if (bytesRead === 0) return bytes.subarray(0, filled);
    filled += bytesRead;
  }
  return bytes;
}

function parse(bytes: HeaderBytes, size: number, file: string): GgufHeader {
  if (bytes.text(4) !== "GGUF") throw new Error(`${file}: not a GGUF file`);
  const version = bytes.uint32();
  if (version > 0xffff) throw new Error(`${file}: byte order big (must be little)`);
  if (version !== 2 && version !== 3) throw new Error(`${file}: GGUF version ${version} (supported: 2, 3)`);
  // An entry takes at least this many bytes: a count beyond that is damage, and is not waited for.
  const tensorCount = bytes.count("tensor count", 24);
  const keyCount = bytes.count("metadata count", 13);
  const metadata: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (let i = 0; i < keyCount; i++) {
    const key = bytes.name(`metadata key ${i}`);
    if (key in metadata) throw new Error(`${file}: metadata ${key}: there twice (damaged)`);
    metadata[key] = bytes.value(`metadata ${key}`);
  }
  const alignment = metadata["general.alignment"] ?? 32;
  if (typeof alignment !== "number" || alignment < 8 || (alignment & (alignment - 1)) !== 0) throw new Error(`${file}: general.alignment: ${typeof alignment === "string" ? JSON.stringify(alignment) : String(alignment)} (must be a power of two, at least 8)`);
  const entries = Array.from({ length: tensorCount }, (_, i) => entry(bytes, i, file));
  const start = Math.ceil(bytes.at / alignment) * alignment;
  const tensors = new Map<string, GgufTensor>();
  for (const { name, type, shape, offset } of entries) {
    if (tensors.has(name)) throw new Error(`${file}: tensor ${name}: there twice (damaged)`);
    if (offset % alignment !== 0) throw new Error(`${file}: tensor ${name}: offset ${offset} (must be a multiple of ${alignment}, the file's alignment)`);
    const length = (elementCount(shape) / ggmlTypes[type].block) * ggmlTypes[type].bytes;
    if (start + offset + length > size) throw new Error(`${file}: tensor ${name}: ends at byte ${start + offset + length} of a file of ${size} bytes (truncated)`);
    tensors.set(name, { name, type, shape, file, offset: start + offset, length });
  }
  requireApart([...tensors.values()], file);
  return { metadata, tensors };
}

function entry(bytes: HeaderBytes, index: number, file: string): Omit<GgufTensor, "file" | "length"> {
  const name = bytes.name(`tensor ${index}`);
  const where = `tensor ${name}`;
  const rank = bytes.uint32();
  if (rank < 1 || rank > 4) throw new Error(`${file}: ${where}: ${rank} dimensions (must be 1 to 4)`);
  const shape = Array.from({ length: rank }, () => bytes.uint64(where)).reverse();
  const code = bytes.uint32();
  const type = ggmlType(code);
  if (!type) throw new Error(`${file}: ${where}: type ${typeName(code)} (supported: ${Object.keys(ggmlTypes).join(", ")})`);
  const offset = bytes.uint64(where);
  const { block } = ggmlTypes[type];
  if (!Number.isSafeInteger(elementCount(shape)) || shape.some((dim) => dim < 1)) throw new Error(`${file}: ${where}: shape [${shape.join(", ")}] (must be positive numbers whose product is no larger than a file)`);
  if (shape.at(-1)! % block !== 0) throw new Error(`${file}: ${where}: shape [${shape.join(", ")}] (rows of ${type} must be multiples of ${block})`);
  return { name, type, shape, offset };
}

/** @throws where two tensors share bytes */
function requireApart(tensors: GgufTensor[], file: string): void {
  tensors.sort((a, b) => a.offset - b.offset);
  tensors.forEach(({ name, offset }, i) => {
    const before = tensors[i - 1];
    if (before && before.offset + before.length > offset) throw new Error(`${file}: tensor ${name}: overlaps tensor ${before.name} by ${before.offset + before.length - offset} bytes (damaged)`);
  });
}
