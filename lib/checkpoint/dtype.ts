import { decodeFloat8 } from "./float8.js";
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from "./half.js";
import type { StoredDtype } from "./types.js";

/** Bytes of one element of each dtype that can be read. */
export const elementBytes: Readonly<Record<StoredDtype, number>> = {
  F64: 8, F32: 4, F16: 2, BF16: 2,
  I64: 8, I32: 4, I16: 2, I8: 1,
  U64: 8, U32: 4, U16: 2, U8: 1, F8_E4M3: 1, F8_E5M2: 1, BOOL: 1,
};

/** What a tensor becomes in memory: every float kind is a Float32Array, integers keep their width, BOOL is 0/1 bytes. */
export type TensorData =
  | Float32Array | Int8Array | Uint8Array | Int16Array | Uint16Array
  | Int32Array | Uint32Array | BigInt64Array | BigUint64Array;

/** The typed array that holds a dtype's bits as they are stored. */
export const storedArrays = {
  F64: Float64Array, F32: Float32Array, F16: Uint16Array, BF16: Uint16Array,
  I64: BigInt64Array, I32: Int32Array, I16: Int16Array, I8: Int8Array,
  U64: BigUint64Array, U32: Uint32Array, U16: Uint16Array, U8: Uint8Array, F8_E4M3: Uint8Array, F8_E5M2: Uint8Array, BOOL: Uint8Array,
} as const satisfies Record<StoredDtype, unknown>;

export function isStoredDtype(value: unknown): value is StoredDtype {
  return typeof value === "string" && Object.hasOwn(elementBytes, value);
}

/** F64, F32, F16, BF16 or one of 8 bits. */
export function isFloatDtype(dtype: StoredDtype): boolean {
  return /^B?F\d/.test(dtype);
}

/** Number of elements of a shape; 1 for a scalar (`[]`). */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Little-endian bytes of `dtype` -> values. The bytes must start at a multiple of 8 within their buffer. */
export function decodeElements(dtype: StoredDtype, bytes: Uint8Array): TensorData {
  const { buffer, byteOffset } = bytes;
  const count = bytes.byteLength / elementBytes[dtype];
  switch (dtype) {
    case "F64": return Float32Array.from(new Float64Array(buffer, byteOffset, count));
    case "F32": return new Float32Array(buffer, byteOffset, count);
    case "F16": return decodeFloat16(new Uint16Array(buffer, byteOffset, count));
    case "BF16": return decodeBfloat16(new Uint16Array(buffer, byteOffset, count));
    case "F8_E4M3": case "F8_E5M2": return decodeFloat8(dtype, new Uint8Array(buffer, byteOffset, count));
    case "I64": return new BigInt64Array(buffer, byteOffset, count);
    case "U64": return new BigUint64Array(buffer, byteOffset, count);
    case "I32": return new Int32Array(buffer, byteOffset, count);
    case "U32": return new Uint32Array(buffer, byteOffset, count);
    case "I16": return new Int16Array(buffer, byteOffset, count);
    case "U16": return new Uint16Array(buffer, byteOffset, count);
    case "I8": return new Int8Array(buffer, byteOffset, count);
    case "U8": case "BOOL": return new Uint8Array(buffer, byteOffset, count);
  }
}

/** float32 values -> the bytes of a float dtype (F16 and BF16 rounded to nearest even). */
export function encodeFloats(dtype: StoredDtype, values: Float32Array): Uint8Array {
  switch (dtype) {
    case "F32": return bytesOf(values);
    case "F16": return bytesOf(encodeFloat16(values));
    case "BF16": return bytesOf(encodeBfloat16(values));
    case "F64": return bytesOf(Float64Array.from(values));
    default: throw new Error(`dtype: ${dtype} (float32 values can be written as F32, F16, BF16 or F64)`);
  }
}

/** The bytes under a typed array, not copied. */
export function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
