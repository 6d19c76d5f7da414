import { Tensor } from "onnxruntime-node";

/** Integers as graphs take them. @param shape default: one dimension */
export const int64 = (values: ArrayLike<number>, shape: readonly number[] = [values.length]): Tensor => new Tensor("int64", BigInt64Array.from(values, BigInt), [...shape]);
