import { InferenceSession, Tensor } from "onnxruntime-node";
import type { GraphBuilder } from "../../../lib/onnx/builder.js";
import { toOnnx } from "../../../lib/onnx/serialize.js";

export type Feed = { dtype: "float32" | "int64" | "bool"; data: ArrayLike<number>; dims: readonly number[] };

/** Runs a graph once and gives its outputs' data and dims as plain numbers. */
export async function runGraph(g: GraphBuilder, feeds: Record<string, Feed>): Promise<Record<string, { data: number[]; dims: readonly number[] }>> {
  const session = await InferenceSession.create(toOnnx(g), { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const results = await session.run(Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, tensor(feed)])));
  const outputs = Object.entries(results).map(([name, value]) => [name, { data: Array.from(value.data as ArrayLike<number>, Number), dims: value.dims }] as const);
  await session.release();
  return Object.fromEntries(outputs);
}

function tensor({ dtype, data, dims }: Feed): Tensor {
  if (dtype === "int64") return new Tensor("int64", BigInt64Array.from(data, BigInt), dims);
  if (dtype === "bool") return new Tensor("bool", Uint8Array.from(data), dims);
  return new Tensor("float32", Float32Array.from(data), dims);
}
