import { elementCount } from "./dtype.js";
import type { StoredTensor } from "./types.js";

/** Bytes that a weight is held in: elements, scales, zero points and offsets. A second form for prompts, which graphs hold instead of this one, does not count. */
export function heldBytes({ length, quantization }: StoredTensor): number {
  return length + (quantization?.scales.length ?? 0) + (quantization?.zeroPoints?.length ?? 0) + (quantization?.offsets?.length ?? 0);
}

/** Bytes that it takes in the model's own files. */
export function fileBytes(stored: StoredTensor): number {
  const bits = stored.quantization?.fileBits;
  return bits === undefined ? heldBytes(stored) : (bits * elementCount(stored.shape)) / 8;
}

/** Both of all weights together. */
export function totalBytes(tensors: ReadonlyMap<string, StoredTensor>): { readonly held: number; readonly file: number } {
  const sum = (bytes: (stored: StoredTensor) => number) => [...tensors.values()].reduce((total, stored) => total + bytes(stored), 0);
  return { held: sum(heldBytes), file: Math.round(sum(fileBytes)) };
}
