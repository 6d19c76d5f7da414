import type { Tensor } from "onnxruntime-node";

interface Element {
  /** ONNXTensorElementDataType. */
  readonly code: number;
  readonly array: new (buffer: ArrayBuffer) => NodeJS.TypedArray & { slice(): NodeJS.TypedArray };
  readonly bytes: number;
}

/** Element types of tensors, by the names that onnxruntime-node has for them: numbers all; texts are not passed on. */
const elements: Partial<Record<Tensor.Type, Element>> = {
  float32: { code: 1, array: Float32Array, bytes: 4 },
  uint8: { code: 2, array: Uint8Array, bytes: 1 },
  int8: { code: 3, array: Int8Array, bytes: 1 },
  uint16: { code: 4, array: Uint16Array, bytes: 2 },
  int16: { code: 5, array: Int16Array, bytes: 2 },
  int32: { code: 6, array: Int32Array, bytes: 4 },
  int64: { code: 7, array: BigInt64Array, bytes: 8 },
  bool: { code: 9, array: Uint8Array, bytes: 1 },
  float16: { code: 10, array: Uint16Array, bytes: 2 },
  float64: { code: 11, array: Float64Array, bytes: 8 },
  uint32: { code: 12, array: Uint32Array, bytes: 4 },
  uint64: { code: 13, array: BigUint64Array, bytes: 8 },
};

const byCode = new Map(Object.entries(elements).map(([type, element]) => [element.code, { type: type as Tensor.Type, ...element }]));

/** @throws on a type that is not passed on */
export function elementOf(type: Tensor.Type, name: string): Element {
  const element = elements[type];
  if (!element) throw new Error(`tensor ${name}: ${type} (must be of numbers)`);
  return element;
}

/** @throws on a type that is not passed on */
export function elementOfCode(code: number, name: string): Element & { readonly type: Tensor.Type } {
  const element = byCode.get(code);
  if (!element) throw new Error(`output ${name}: element type ${code} of ONNX (must be one of numbers that JavaScript has arrays of)`);
  return element;
}
