// Pickles as torch.save writes them (protocol 2), byte by byte, and malicious ones.

export interface PickledTensor {
  name: string;
  /** FloatStorage, HalfStorage, … */
  storage: string;
  /** Name of the storage's file. */
  key: string;
  /** Elements of the storage. */
  size: number;
  offset: number;
  shape: readonly number[];
  stride?: readonly number[];
}

const bytes = (...parts: (number | string | Uint8Array)[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === "number" ? Buffer.of(part) : Buffer.from(part as Uint8Array | string as never))));

const PROTO = bytes(0x80, 2);
const STOP = bytes(".");
const unicode = (text: string) => {
  const encoded = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(encoded.length);
  return bytes("X", length, encoded);
};
const integer = (value: number) => {
  const encoded = Buffer.alloc(4);
  encoded.writeInt32LE(value);
  return bytes("J", encoded);
};
const named = (module: string, name: string) => bytes("c", `${module}\n${name}\n`);
const tuple = (...items: Uint8Array[]) => bytes("(", ...items, "t");
const emptyDict = () => bytes(named("collections", "OrderedDict"), ")", "R");

/** A pickle that is a global and nothing else. */
export const global = (module: string, name: string): Uint8Array => bytes(PROTO, named(module, name), STOP);

/** A pickle that calls a global with one string. */
export const reduceTo = (module: string, name: string, argument: string): Uint8Array => bytes(PROTO, named(module, name), tuple(unicode(argument)), "R", STOP);

/** The pickle of a dictionary of tensors. */
export function stateDict(tensors: readonly PickledTensor[]): Uint8Array {
  const items = tensors.flatMap(({ name, storage, key, size, offset, shape, stride }) => {
    const rowMajor = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    const id = tuple(unicode("storage"), named("torch", storage), unicode(key), unicode("cpu"), integer(size));
    const description = tuple(bytes(id, "Q"), integer(offset), tuple(...shape.map(integer)), tuple(...(stride ?? rowMajor).map(integer)), bytes(0x89), emptyDict());
    return [unicode(name), bytes(named("torch._utils", "_rebuild_tensor_v2"), description, "R")];
  });
  return bytes(PROTO, emptyDict(), "(", ...items, "u", STOP);
}
