import { Parser } from "pickleparser";

/** A tensor as a torch pickle describes it: a view of a storage, whose bytes lie beside the pickle. */
export class TorchTensor {
  constructor(
    readonly storage: TorchStorage,
    /** In elements. */
    readonly offset: number,
    readonly shape: readonly number[],
    /** In elements. */
    readonly stride: readonly number[],
  ) {}
}

export class TorchStorage {
  constructor(
    readonly dtype: TorchDtype,
    /** Name of the file with the bytes, within the archive's `data` folder. */
    readonly key: string,
    /** Elements. */
    readonly size: number,
  ) {}
}

export type TorchDtype = "F64" | "F32" | "F16" | "BF16" | "I64" | "I32" | "I16" | "I8" | "U8" | "BOOL";

const storages: Readonly<Record<string, TorchDtype>> = {
  DoubleStorage: "F64", FloatStorage: "F32", HalfStorage: "F16", BFloat16Storage: "BF16", LongStorage: "I64", IntStorage: "I32",
  ShortStorage: "I16", CharStorage: "I8", ByteStorage: "U8", BoolStorage: "BOOL",
};

/**
 * Reads the pickle of a state dictionary without executing anything from it: a pickle is a program that may name any Python
 * function, and of those only the few that tensors are made of are known here.
 * @returns the dictionary: a Map, or an object for other mappings
 * @throws on any other global, and on anything that is not a pickle
 */
export function parseTorchPickle(bytes: Uint8Array, file: string): unknown {
  const parser = new Parser({
    unpicklingTypeOfDictionary: "Map",
    nameResolver: { resolve: (module, name) => allowed(module, name, file) },
    persistentResolver: { resolve: (id) => storage(id, file) },
  });
  try {
    return parser.parse(bytes);
  } catch (error) {
    const message = (error as Error).message;
    throw message.startsWith(`${file}: `) ? error : new Error(`${file}: data.pkl cannot be read (${message})`);
  }
}

type Callable = ((...args: unknown[]) => unknown) | (new (...args: unknown[]) => unknown);

/** A new function each time: a pickle can set properties on what it is given. */
function allowed(module: string, name: string, file: string): Callable {
  const dtype = module === "torch" && Object.hasOwn(storages, name) ? storages[name] : undefined;
  if (dtype) return class { static readonly dtype = dtype; };
  switch (`${module}.${name}`) {
    case "collections.OrderedDict":
      return (...args: unknown[]) => { requireCount(args, 0, 0, name, file); return new Map(); };
    case "torch._utils._rebuild_tensor_v2":
      return (...args: unknown[]) => { requireCount(args, 4, 7, name, file); return rebuild(args, file); };
    case "torch._utils._rebuild_parameter":
      return (...args: unknown[]) => { requireCount(args, 1, 3, name, file); return args[0]; };
  }
  throw new Error(`${file}: the pickle names ${module}.${name} (refused: only tensors and dictionaries are read, nothing is executed)`);
}

function requireCount(args: readonly unknown[], least: number, most: number, name: string, file: string): void {
  if (args.length < least || args.length > most) throw new Error(`${file}: ${name} with ${args.length} arguments (must be ${least} … ${most})`);
}

function storage(id: unknown, file: string): TorchStorage {
  if (!Array.isArray(id) || id[0] !== "storage" || id.length < 5) throw new Error(`${file}: persistent id ${JSON.stringify(id)} (must be a storage)`);
  const [, type, key, , size] = id as unknown[];
  const dtype = (type as { dtype?: TorchDtype } | null)?.dtype;
  if (!dtype || typeof key !== "string" || !/^\d+$/.test(key) || !isCount(size)) throw new Error(`${file}: storage ${String(key)} (must have a known type, a number for its name and a size)`);
  return new TorchStorage(dtype, key, size);
}

function rebuild([stored, offset, shape, stride]: readonly unknown[], file: string): TorchTensor {
  const counts = (list: unknown): list is number[] => Array.isArray(list) && list.every(isCount);
  if (!(stored instanceof TorchStorage) || !isCount(offset) || !counts(shape) || !counts(stride) || shape.length !== stride.length) {
    throw new Error(`${file}: a tensor's description is not one (must be a storage, an offset, a shape and a stride)`);
  }
  return new TorchTensor(stored, offset, shape, stride);
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
