import type { Formatted } from "./format.js";

/** How many values are shown of an array. */
const FIRST = 20;

interface Tensor {
  type: string;
  dims: readonly number[];
  location?: string;
  data: ArrayLike<unknown>;
}

/** Typed arrays and ONNX tensors: type, shape and first values, never all of them. */
export function arrays(value: unknown): Formatted | undefined {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView) && !Buffer.isBuffer(value)) {
    const array = value as unknown as ArrayLike<unknown>;
    return { "text/plain": `${value.constructor.name}(${array.length}) ${firstValues(array)}` };
  }
  if (isTensor(value)) {
    const shape = `Tensor ${value.type} [${value.dims.join(", ")}]`;
    // Reading a tensor that lives on a device may end the process.
    const isHere = value.location === undefined || value.location === "cpu";
    return { "text/plain": isHere ? `${shape} ${firstValues(value.data)}` : `${shape} on ${value.location}` };
  }
  return undefined;
}

function firstValues(array: ArrayLike<unknown>): string {
  const shown = Array.from({ length: Math.min(FIRST, array.length) }, (_, i) => String(array[i]));
  return `[${shown.join(", ")}${array.length > FIRST ? `, … ${array.length - FIRST} more` : ""}]`;
}

function isTensor(value: unknown): value is Tensor {
  if (typeof value !== "object" || value === null || value.constructor?.name !== "Tensor") return false;
  const { type, dims } = value as Partial<Tensor>;
  return typeof type === "string" && Array.isArray(dims) && dims.every((dim) => typeof dim === "number");
}
