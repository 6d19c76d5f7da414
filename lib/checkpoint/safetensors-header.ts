// The header of a safetensors file: 8 bytes little-endian length, that many bytes of JSON, then the tensors' bytes.
// https://huggingface.co/docs/safetensors#format
import { open, realpath, type FileHandle } from "node:fs/promises";
import { elementBytes, elementCount, isStoredDtype } from "./dtype.js";
import { duplicateKey } from "./json.js";
import { placeholder, PLACEHOLDER_BYTES } from "./placeholder.js";
import type { StoredTensor } from "./types.js";

export interface SafetensorsHeader {
  /** Absolute path with symbolic links resolved. */
  readonly file: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The format's own limit on the JSON part, in bytes. */
const maxHeaderBytes = 100_000_000;

/**
 * Reads and validates the header; no tensor bytes are read.
 * `file` of each tensor has symbolic links resolved, so that a hub-cache link does not lead out of its folder later.
 * @throws an error that names the file, and the tensor where there is one: truncated file, header longer than the
 * file, bad JSON, unknown dtype, wrong byte length, tensor out of range, overlap, gap, duplicate name.
 */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  const file = await realpath(path).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`safetensors file: ${path} (${error.code === "ENOENT" ? "no such file" : error.message})`);
  });
  const handle = await open(file, "r");
  try {
    const { size } = await handle.stat();
    const text = await headerText(handle, size, path);
    const dataStart = 8 + Buffer.byteLength(text);
    const { metadata, entries } = parseHeader(text, path);
    const tensors = new Map<string, StoredTensor>();
    for (const [name, entry] of entries) tensors.set(name, storedTensor(name, entry, file, path, dataStart, size));
    checkLayout([...tensors.values()], path, dataStart, size);
    return { file, tensors, metadata };
  } finally {
    await handle.close();
  }
}

async function headerText(handle: FileHandle, size: number, path: string): Promise<string> {
  const start = Buffer.alloc(Math.min(size, PLACEHOLDER_BYTES));
  await handle.read(start, 0, start.length, 0);
  const other = placeholder(start);
  if (other !== null) throw new Error(`${path}: ${other}`);
  if (size < 8) throw new Error(`${path}: ${size} bytes (truncated: a safetensors file starts with 8 bytes of header length)`);
  const length = start.readBigUInt64LE();
  if (length > BigInt(size - 8)) {
    throw new Error(`${path}: header of ${length} bytes in a file of ${size} bytes (truncated, or not a safetensors file)`);
  }
  if (length > BigInt(maxHeaderBytes)) throw new Error(`${path}: header of ${length} bytes (at most ${maxHeaderBytes})`);
  const bytes = Buffer.alloc(Number(length));
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, 8 + filled);
    if (bytesRead === 0) throw new Error(`${path}: ends inside its header (truncated while it was read)`);
    filled += bytesRead;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Error(`${path}: header is not UTF-8 (not a safetensors file)`);
  }
}

function parseHeader(text: string, path: string) {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    throw new Error(`${path}: header is not JSON: ${(error as Error).message}`);
  }
  if (!isObject(header)) throw new Error(`${path}: header is not a JSON object`);
  const duplicate = duplicateKey(text);
  if (duplicate !== undefined) throw new Error(`${path}: tensor ${duplicate} appears twice in the header`);
  const { __metadata__: metadata = {}, ...entries } = header;
  if (!isObject(metadata)) throw new Error(`${path}: __metadata__ is not an object`);
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== "string") throw new Error(`${path}: __metadata__ ${key}: ${JSON.stringify(value)} (must be a string)`);
  }
  return { metadata: metadata as Record<string, string>, entries: Object.entries(entries) };
}

function storedTensor(name: string, entry: unknown, file: string, path: string, dataStart: number, size: number): StoredTensor {
  const where = `${path}: tensor ${name}:`;
  if (!isObject(entry)) throw new Error(`${where} ${JSON.stringify(entry)} (must be an object with dtype, shape, data_offsets)`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isStoredDtype(dtype)) {
    throw new Error(`${where} dtype ${JSON.stringify(dtype) ?? "missing"} (supported: ${Object.keys(elementBytes).join(", ")})`);
  }
  if (!isCounts(shape)) throw new Error(`${where} shape ${JSON.stringify(shape) ?? "missing"} (must be a list of integers >= 0)`);
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw new Error(`${where} data_offsets ${JSON.stringify(offsets) ?? "missing"} (must be [begin, end] with begin <= end)`);
  }
  const [begin, end] = offsets as [number, number];
  if (dataStart + end > size) {
    throw new Error(`${where} ends at byte ${dataStart + end} of a file of ${size} bytes (truncated file or out of range)`);
  }
  const expected = elementCount(shape) * elementBytes[dtype];
  if (end - begin !== expected) {
    throw new Error(`${where} ${end - begin} bytes (${dtype} [${shape.join(", ")}] takes ${expected})`);
  }
  return { name, dtype, shape, file, offset: dataStart + begin, length: end - begin };
}

/** The format allows neither overlaps nor holes: either means a damaged file. */
function checkLayout(tensors: StoredTensor[], path: string, dataStart: number, size: number): void {
  // Empty tensors first where they share an offset with a full one.
  tensors.sort((a, b) => a.offset - b.offset || a.length - b.length);
  let end = dataStart;
  let previous = "the header";
  for (const { name, offset, length } of tensors) {
    if (offset < end) throw new Error(`${path}: tensor ${name}: overlaps ${previous} by ${end - offset} bytes`);
    if (offset > end) throw new Error(`${path}: tensor ${name}: ${offset - end} unused bytes before it, after ${previous}`);
    end = offset + length;
    previous = `tensor ${name}`;
  }
  if (end !== size) throw new Error(`${path}: ${size - end} unused bytes at its end, after ${previous}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}
