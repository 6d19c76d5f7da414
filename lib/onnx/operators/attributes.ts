import type { Attribute, Dtype } from "../graph.js";

export const int = (value: number): Attribute => ({ kind: "int", value });
export const float = (value: number): Attribute => ({ kind: "float", value });
export const ints = (value: readonly number[]): Attribute => ({ kind: "ints", value });

/** ONNX's numbers for element types (TensorProto.DataType). */
export const onnxTypes: Readonly<Record<Dtype, number>> = {
  float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10, float64: 11, bfloat16: 16, float8e4m3fn: 17, float8e5m2: 19,
};
