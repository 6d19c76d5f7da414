import { randomBytes } from "node:crypto";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { bytesOf, elementBytes, elementCount, encodeFloats, isFloatDtype, isStoredDtype, storedArrays } from "./dtype.js";
import { makeFolder } from "../files.js";
import type { StoredDtype } from "./types.js";

/**
 * A tensor's bytes, whole or in chunks. A Float32Array is converted to the tensor's float dtype;
 * a Uint8Array is written as raw little-endian bytes, and so is the dtype's own array (Uint16Array for F16 and BF16).
 */
export type TensorSource =
  | ArrayBufferView
  | (() => ArrayBufferView | Promise<ArrayBufferView> | Iterable<ArrayBufferView> | AsyncIterable<ArrayBufferView>);

/** A tensor to write: its header entry is declared, its data are asked for when its turn comes. */
export interface TensorToWrite {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly data: TensorSource;
}

/**
 * Writes a safetensors file, tensors in the order given, so that big files never sit in memory: only one chunk does.
 * Atomic: a file beside `file` is written, flushed to disk and renamed; after an error nothing is left.
 * @param metadata strings for the header's `__metadata__`
 * @throws on a duplicate name, a bad dtype or shape, data of another length than dtype and shape take, or a place where no
 * file can be written
 */
export async function writeSafetensors(
  file: string,
  tensors: Iterable<TensorToWrite>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const list = [...tensors];
  const header = encodeHeader(list, metadata, file);
  const temporary = `${file}.${process.pid}-${randomBytes(4).toString("hex")}.tmp`;
  const handle = await makeFolder(dirname(file))
    .then(() => open(temporary, "wx"))
    .catch((error: NodeJS.ErrnoException) => { throw unwritable(file, error); });
  try {
    await writeAll(handle, header);
    for (const tensor of list) await writeTensor(handle, tensor, file);
    await handle.sync();
    await handle.close();
    await rename(temporary, file);
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(temporary, { force: true });
    throw (error as NodeJS.ErrnoException).syscall ? unwritable(file, error as NodeJS.ErrnoException) : error;
  }
}

function unwritable(file: string, { code, message }: NodeJS.ErrnoException): Error {
  return new Error(`safetensors file: ${file} (cannot be written: ${code ?? message})`);
}

/** Bytes that dtype and shape take. @throws on a bad dtype or shape */
export function tensorBytes({ name, dtype, shape }: Omit<TensorToWrite, "data">): number {
  if (!isStoredDtype(dtype)) throw new Error(`tensor ${name}: dtype ${String(dtype)} (supported: ${Object.keys(elementBytes).join(", ")})`);
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new Error(`tensor ${name}: shape [${shape.join(", ")}] (must be integers >= 0)`);
  }
  return elementCount(shape) * elementBytes[dtype];
}

/** Length prefix and JSON, padded with spaces to a multiple of 8, so that data are aligned in a mapped file. */
function encodeHeader(tensors: readonly TensorToWrite[], metadata: Readonly<Record<string, string>>, file: string): Uint8Array {
  const entries = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) entries.set("__metadata__", metadata);
  let offset = 0;
  for (const tensor of tensors) {
    const { name, dtype, shape } = tensor;
    if (entries.has(name) || name === "__metadata__") throw new Error(`${file}: tensor ${name} (name taken)`);
    const end = offset + tensorBytes(tensor);
    entries.set(name, { dtype, shape, data_offsets: [offset, end] });
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const header = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, " ");
  header.writeBigUInt64LE(BigInt(header.length - 8));
  json.copy(header, 8);
  return header;
}

async function writeTensor(handle: FileHandle, tensor: TensorToWrite, file: string): Promise<void> {
  const expected = tensorBytes(tensor);
  let written = 0;
  for await (const chunk of chunks(tensor.data)) {
    const bytes = toBytes(chunk, tensor);
    written += bytes.length;
    if (written > expected) break;
    await writeAll(handle, bytes);
  }
  if (written !== expected) {
    const what = `${tensor.dtype} [${tensor.shape.join(", ")}] takes ${expected}`;
    throw new Error(`${file}: tensor ${tensor.name}: ${written > expected ? "more than " : ""}${Math.min(written, expected)} bytes of data (${what})`);
  }
}

async function* chunks(source: TensorSource): AsyncGenerator<ArrayBufferView> {
  const data = typeof source === "function" ? await source() : source;
  if (ArrayBuffer.isView(data)) yield data;
  else yield* data;
}

function toBytes(chunk: ArrayBufferView, { name, dtype }: TensorToWrite): Uint8Array {
  if (chunk instanceof Float32Array && isFloatDtype(dtype)) return encodeFloats(dtype, chunk);
  if (chunk instanceof Uint8Array || chunk instanceof storedArrays[dtype]) return bytesOf(chunk);
  throw new Error(`tensor ${name}: ${chunk.constructor.name} for ${dtype} (must be ${storedArrays[dtype].name} or raw bytes)`);
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  // One write call takes less than 2 GB.
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, Math.min(2 ** 30, bytes.length - done))).bytesWritten;
  }
}
