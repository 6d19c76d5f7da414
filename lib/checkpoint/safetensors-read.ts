import { open, type FileHandle } from "node:fs/promises";
import { decodeElements, elementBytes, isFloatDtype, type TensorData } from "./dtype.js";
import type { StoredTensor } from "./types.js";
import { applyView } from "./view.js";

/** One read call asks for at most this many bytes: the system's limit is 2 GB less one. */
const maxReadBytes = 2 ** 30;

/**
 * Reads one whole tensor as it is stored (its `view`, if any, left aside), elements in row-major order.
 * F32, F16, BF16 and F64 become a Float32Array; integers keep their kind; BOOL is a Uint8Array of 0 and 1.
 * @throws when the file is gone or shorter than when its header was read
 */
export async function readTensor(stored: StoredTensor): Promise<TensorData> {
  return decodeElements(stored.dtype, await readStored(stored));
}

/** The bytes of one whole tensor. */
export async function readStored(stored: StoredTensor): Promise<Uint8Array> {
  return readByteRange(stored, 0, stored.length);
}

/** As `readTensor`, for a float tensor. @throws on an integer dtype */
export async function readFloats(stored: StoredTensor): Promise<Float32Array> {
  requireFloats(stored);
  const values = (await readTensor(stored)) as Float32Array;
  if (stored.scaling) (await scaler(stored))(values, 0);
  return stored.view ? applyView(values, stored.view) : values;
}

/**
 * The raw bytes of a tensor in order, in chunks of whole elements.
 * The chunk is valid until the next one is asked for: the buffer is used again.
 * @param chunkBytes size of a chunk in bytes, rounded down to a multiple of 8
 */
export async function* readBytes(stored: StoredTensor, chunkBytes = 2 ** 24): AsyncGenerator<Uint8Array> {
  const size = Math.max(8, chunkBytes - (chunkBytes % 8));
  const handle = await openFor(stored);
  try {
    const buffer = new Uint8Array(Math.min(size, stored.length));
    for (let done = 0; done < stored.length; done += size) {
      const chunk = buffer.subarray(0, Math.min(size, stored.length - done));
      await fill(handle, chunk, done, stored);
      yield chunk;
    }
  } finally {
    await handle.close();
  }
}

/**
 * The values of a float tensor in order, as float32, at most `chunkElements` at a time.
 * The chunk is valid until the next one is asked for. @throws on an integer dtype
 */
export async function* readFloatChunks(stored: StoredTensor, chunkElements = 2 ** 22): AsyncGenerator<Float32Array> {
  requireFloats(stored);
  if (stored.view) {
    // Its elements lie apart: the whole tensor is read.
    const values = await readFloats(stored);
    for (let done = 0; done < values.length; done += chunkElements) yield values.subarray(done, done + chunkElements);
    return;
  }
  const scale = stored.scaling ? await scaler(stored) : null;
  let done = 0;
  for await (const bytes of readBytes(stored, chunkElements * elementBytes[stored.dtype])) {
    const values = decodeElements(stored.dtype, bytes) as Float32Array;
    scale?.(values, done);
    done += values.length;
    yield values;
  }
}

/** Multiplies values from a place on by their scales. */
async function scaler({ shape, view, scaling }: StoredTensor): Promise<(values: Float32Array, from: number) => void> {
  const { scale, block: [height, width] } = scaling!;
  const columns = (view?.stored ?? shape).at(-1)!;
  const across = Math.ceil(columns / width);
  const scales = await readFloats(scale);
  return (values, from) => {
    for (let i = 0; i < values.length; i++) {
      const [row, column] = [Math.floor((from + i) / columns), (from + i) % columns];
      values[i] = values[i]! * scales[Math.floor(row / height) * across + Math.floor(column / width)]!;
    }
  };
}

/** Reads `length` bytes at `begin` within the tensor. */
export async function readByteRange(stored: StoredTensor, begin: number, length: number): Promise<Uint8Array> {
  if (begin < 0 || begin + length > stored.length) {
    throw new Error(`byte range: ${begin}..${begin + length} (tensor ${stored.name} has ${stored.length} bytes)`);
  }
  const handle = await openFor(stored);
  try {
    const bytes = new Uint8Array(length);
    await fill(handle, bytes, begin, stored);
    return bytes;
  } finally {
    await handle.close();
  }
}

async function openFor(stored: StoredTensor): Promise<FileHandle> {
  return open(stored.file, "r").catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${stored.file}: ${error.code === "ENOENT" ? "gone since its header was read" : error.message}`);
  });
}

async function fill(handle: FileHandle, bytes: Uint8Array, begin: number, stored: StoredTensor): Promise<void> {
  let filled = 0;
  while (filled < bytes.length) {
    const length = Math.min(maxReadBytes, bytes.length - filled);
    const { bytesRead } = await handle.read(bytes, filled, length, stored.offset + begin + filled);
    if (bytesRead === 0) {
      throw new Error(`${stored.file}: ends inside tensor ${stored.name} (truncated since its header was read)`);
    }
    filled += bytesRead;
  }
}

function requireFloats(stored: StoredTensor): void {
  if (!isFloatDtype(stored.dtype)) throw new Error(`tensor ${stored.name}: dtype ${stored.dtype} (must be F32, F16, BF16 or F64)`);
}
