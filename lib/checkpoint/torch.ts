import { open } from "node:fs/promises";
import type { Entry, ZipFile } from "yauzl";
import { decodeElements, elementBytes, elementCount, type TensorData } from "./dtype.js";
import { placeholder, PLACEHOLDER_BYTES } from "./placeholder.js";
import { readStored } from "./safetensors.js";
import { parseTorchPickle, TorchTensor, type TorchDtype } from "./torch-pickle.js";
import type { StoredTensor } from "./types.js";
import { applyView } from "./view.js";

/** A tensor read from a PyTorch file, row-major. */
export interface LoadedTensor {
  readonly dtype: TorchDtype;
  readonly shape: readonly number[];
  readonly values: TensorData;
}

/**
 * Where the tensors of a state dictionary lie that `torch.save` wrote (PyTorch 1.6 or later: a zip archive with a pickle and the
 * tensors' bytes, uncompressed). Only the pickle is read, without executing anything (see `parseTorchPickle`).
 * @throws an error that names the file: not such a file, compressed entries, a tensor outside its storage, anything in the
 * dictionary that is not a tensor
 */
export async function indexTorch(file: string): Promise<Map<string, StoredTensor>> {
  await requireZip(file);
  const { openPromise } = await import("yauzl");
  const zip = await damaged(file, () => openPromise(file, { lazyEntries: true, autoClose: false }));
  try {
    const entries = await damaged(file, () => entriesOf(zip));
    for (const { fileName, compressionMethod } of entries.values()) {
      // torch.save stores entries as they are; a small file that unpacks to gigabytes is none of its making.
      if (compressionMethod !== 0) throw new Error(`${file}: entry ${fileName} is compressed (torch.save does not compress)`);
    }
    const pickle = [...entries.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
    if (!pickle) throw new Error(`${file}: no data.pkl in it (must be a file that torch.save wrote)`);
    const root = pickle.slice(0, -"data.pkl".length);
    const order = entries.get(`${root}byteorder`);
    const endian = order ? new TextDecoder().decode(await damaged(file, () => bytesOf(zip, order))).trim() : "little";
    if (endian !== "little") throw new Error(`${file}: byte order ${endian} (must be little)`);
    const dictionary = parseTorchPickle(await damaged(file, () => bytesOf(zip, entries.get(pickle)!)), file);
    if (!(dictionary instanceof Map)) throw new Error(`${file}: holds no dictionary of tensors (save a model's state_dict)`);
    const starts = new Map<string, Promise<number>>();
    const startOf = (entry: Entry) => {
      let start = starts.get(entry.fileName);
      if (!start) starts.set(entry.fileName, (start = damaged(file, async () => (await zip.readLocalFileHeaderPromise(entry, { minimal: true })).fileDataStart)));
      return start;
    };
    const tensors = new Map<string, StoredTensor>();
    for (const [name, value] of dictionary as Map<unknown, unknown>) {
      if (typeof name !== "string" || !(value instanceof TorchTensor)) throw new Error(`${file}: entry ${String(name)} (must be a tensor with a name)`);
      const entry = entries.get(`${root}data/${value.storage.key}`);
      if (!entry) throw new Error(`${file}: tensor ${name}: its storage data/${value.storage.key} is missing`);
      tensors.set(name, stored(value, name, entry.uncompressedSize, await startOf(entry), file));
    }
    return tensors;
  } finally {
    zip.close();
  }
}

/** As `indexTorch`, with all values read. */
export async function readTorch(file: string): Promise<Map<string, LoadedTensor>> {
  const tensors = new Map<string, LoadedTensor>();
  for (const [name, tensor] of await indexTorch(file)) {
    const values = decodeElements(tensor.dtype, await readStored(tensor));
    tensors.set(name, { dtype: tensor.dtype as TorchDtype, shape: tensor.shape, values: tensor.view ? applyView(values, tensor.view) : values });
  }
  return tensors;
}

async function requireZip(file: string): Promise<void> {
  const handle = await open(file, "r").catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${file}: ${error.code === "ENOENT" ? "no such file" : error.message}`);
  });
  try {
    const start = new Uint8Array(PLACEHOLDER_BYTES);
    await handle.read(start, 0, start.length, 0);
    const other = placeholder(start);
    if (other !== null) throw new Error(`${file}: ${other}`);
    if (start[0] !== 0x50 || start[1] !== 0x4b) throw new Error(`${file}: not a zip archive (torch.save of PyTorch 1.6 or later writes one; older files must be saved again)`);
  } finally {
    await handle.close();
  }
}

async function entriesOf(zip: ZipFile): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  for await (const entry of zip.eachEntry()) entries.set(entry.fileName, entry);
  return entries;
}

async function bytesOf(zip: ZipFile, entry: Entry): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of await zip.openReadStreamPromise(entry)) parts.push(part as Uint8Array);
  return Buffer.concat(parts);
}

async function damaged<T>(file: string, look: () => Promise<T>): Promise<T> {
  return look().catch((error: Error) => {
    throw new Error(`${file}: the zip archive is damaged (${error.message})`);
  });
}

/** @param bytes of the storage @param start of the storage in the file */
function stored({ storage, offset, shape, stride }: TorchTensor, name: string, bytes: number, start: number, file: string): StoredTensor {
  const size = elementBytes[storage.dtype];
  if (bytes !== storage.size * size) throw new Error(`${file}: storage data/${storage.key}: ${bytes} bytes (must be ${storage.size * size})`);
  const count = elementCount(shape);
  const last = count === 0 ? -1 : shape.reduce((sum, dim, axis) => sum + (dim - 1) * stride[axis]!, offset);
  if (!Number.isSafeInteger(count) || last >= storage.size || (count > storage.size && count > 0)) {
    throw new Error(`${file}: tensor ${name}: shape [${shape.join(", ")}] with offset ${offset} lies outside its storage of ${storage.size} elements`);
  }
  // Axes as they lie in memory; one of a single element may lie anywhere.
  const order = shape.map((_, axis) => axis).sort((a, b) => Number(shape[b] === 1) - Number(shape[a] === 1) || stride[b]! - stride[a]! || a - b);
  const sizes = order.map((axis) => shape[axis]!);
  if (count > 0 && order.some((axis, i) => shape[axis] !== 1 && stride[axis] !== elementCount(sizes.slice(i + 1)))) {
    throw new Error(`${file}: tensor ${name}: stride [${stride.join(", ")}] for shape [${shape.join(", ")}] (must be all of a tensor, its axes in any order)`);
  }
  const perm = shape.map((_, axis) => order.indexOf(axis));
  const turned = shape.filter((_, axis) => shape[axis] !== 1).length > 1 && order.filter((axis) => shape[axis] !== 1).some((axis, i, all) => i > 0 && axis < all[i - 1]!);
  return { name, dtype: storage.dtype, shape, file, offset: start + offset * size, length: count * size, ...(turned && count > 0 && { view: { stored: sizes, perm } }) };
}
