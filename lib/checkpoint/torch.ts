import { readFile } from "node:fs/promises";
import { unzipSync } from "fflate";
import { decodeElements, elementBytes, elementCount, type TensorData } from "./dtype.js";
import { parseTorchPickle, TorchTensor, type TorchDtype } from "./torch-pickle.js";

/** A tensor read from a PyTorch file, row-major. */
export interface LoadedTensor {
  readonly dtype: TorchDtype;
  readonly shape: readonly number[];
  readonly values: TensorData;
}

/**
 * Reads a state dictionary that `torch.save` wrote (PyTorch 1.6 or later: a zip archive with a pickle and the tensors' bytes),
 * whole into memory and without executing anything (see `parseTorchPickle`).
 * @throws an error that names the file: not such a file, compressed entries, a tensor outside its storage, anything in the
 * dictionary that is not a tensor
 */
export async function readTorch(file: string): Promise<Map<string, LoadedTensor>> {
  const entries = unzip(await readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${file}: ${error.code === "ENOENT" ? "no such file" : error.message}`);
  }), file);
  const pickle = [...entries.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (!pickle) throw new Error(`${file}: no data.pkl in it (must be a file that torch.save wrote)`);
  const root = pickle.slice(0, -"data.pkl".length);
  const order = entries.get(`${root}byteorder`);
  if (order && new TextDecoder().decode(order).trim() !== "little") throw new Error(`${file}: byte order ${new TextDecoder().decode(order)} (must be little)`);
  const dictionary = parseTorchPickle(entries.get(pickle)!, file);
  if (!(dictionary instanceof Map)) throw new Error(`${file}: holds no dictionary of tensors (save a model's state_dict)`);
  const tensors = new Map<string, LoadedTensor>();
  for (const [name, value] of dictionary as Map<unknown, unknown>) {
    if (typeof name !== "string" || !(value instanceof TorchTensor)) throw new Error(`${file}: entry ${String(name)} (must be a tensor with a name)`);
    tensors.set(name, load(value, name, entries.get(`${root}data/${value.storage.key}`), file));
  }
  return tensors;
}

function unzip(bytes: Uint8Array, file: string): Map<string, Uint8Array> {
  if (bytes[0] !== 0x50 || bytes[1] !== 0x4b) throw new Error(`${file}: not a zip archive (torch.save of PyTorch 1.6 or later writes one; older files must be saved again)`);
  let compressed: string | undefined;
  let entries: Record<string, Uint8Array>;
  try {
    entries = unzipSync(bytes, {
      filter: ({ name, compression }) => {
        // torch.save stores entries as they are; a small file that unpacks to gigabytes is none of its making.
        if (compression !== 0) compressed ??= name;
        return compression === 0;
      },
    });
  } catch (error) {
    throw new Error(`${file}: the zip archive is damaged (${(error as Error).message})`);
  }
  if (compressed !== undefined) throw new Error(`${file}: entry ${compressed} is compressed (torch.save does not compress)`);
  return new Map(Object.entries(entries));
}

function load({ storage, offset, shape, stride }: TorchTensor, name: string, bytes: Uint8Array | undefined, file: string): LoadedTensor {
  const size = elementBytes[storage.dtype];
  if (!bytes) throw new Error(`${file}: tensor ${name}: its storage data/${storage.key} is missing`);
  if (bytes.length !== storage.size * size) throw new Error(`${file}: storage data/${storage.key}: ${bytes.length} bytes (must be ${storage.size * size})`);
  const count = elementCount(shape);
  const last = count === 0 ? -1 : shape.reduce((sum, dim, axis) => sum + (dim - 1) * stride[axis]!, offset);
  if (!Number.isSafeInteger(count) || last >= storage.size || (count > storage.size && count > 0)) {
    throw new Error(`${file}: tensor ${name}: shape [${shape.join(", ")}] with offset ${offset} lies outside its storage of ${storage.size} elements`);
  }
  const stored = decodeElements(storage.dtype, bytes.slice());
  const rowMajor = shape.every((dim, axis) => dim === 1 || stride[axis] === elementCount(shape.slice(axis + 1)));
  if (rowMajor) return { dtype: storage.dtype, shape, values: stored.slice(offset, offset + count) };
  const values = stored.slice(0, count);
  const index = shape.map(() => 0);
  for (let i = 0; i < count; i++) {
    values[i] = stored[index.reduce((sum, at, axis) => sum + at * stride[axis]!, offset)]!;
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]!; axis--) index[axis] = 0;
  }
  return { dtype: storage.dtype, shape, values };
}
