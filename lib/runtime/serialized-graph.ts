import type { Graph } from "../onnx/graph.js";

/** A weight that lies in a file beside the graph. */
export interface ExternalWeight {
  readonly name: string;
  /** Its element type, by ONNX's number. */
  readonly type: number;
  readonly dims: readonly number[];
  /** The file, relative to the session's folder. */
  readonly location: string;
  /** Bytes. */
  readonly offset: number;
  readonly length: number;
}

/** A graph as it is loaded, here or in another thread. */
export interface SerializedGraph {
  /** The graph as an ONNX model. */
  readonly onnx: Uint8Array;
  /** Names of its outputs. */
  readonly outputs: readonly string[];
  /** The weights that it refers to, but for those of graphs inside of its nodes. */
  readonly weights: readonly ExternalWeight[];
}

export async function serialized(graph: Graph): Promise<SerializedGraph> {
  // Writing protobuf takes a library of many modules, which nothing needs before the first graph.
  const [{ toOnnx }, { onnxTypes }] = await Promise.all([import("../onnx/serialize.js"), import("../onnx/builder.js")]);
  const weights = graph.initializers.flatMap(({ value: { name, dtype, shape }, data }): ExternalWeight[] =>
    data.kind === "external" ? [{ name, type: onnxTypes[dtype], dims: shape as readonly number[], location: data.location, offset: data.offset, length: data.length }] : []);
  return { onnx: toOnnx(graph), outputs: graph.outputs.map(({ name }) => name), weights };
}
