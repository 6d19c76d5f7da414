import type { KvDtype } from "../checkpoint/kv-dtype.js";
import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Dim, Value } from "../onnx/graph.js";

/** Cached keys or values as a graph takes them. */
export interface CachedInput {
  /** `[1, kvHeads, 1, capacity, headDim]`, float32 or, held and computed in it, float16; the scale left out: an axis is there for the queries that share a head. */
  readonly elements: Value;
  /** What each token's elements are to be multiplied by, `[1, kvHeads, 1, 1, capacity]`; null: nothing. */
  readonly scale: Value | null;
}

/** The input `NAME.L` of layer L in the cache's dtype, widened in the graph, unless that computes in the same; with int8 the input `NAME_scale.L` too. */
export function cachedInput(g: GraphBuilder, name: string, layer: number | string, dtype: KvDtype, { kvHeads, headDim }: ModelConfig, capacity: Dim): CachedInput {
  const shape = [1, kvHeads, 1, capacity, headDim];
  const stored = g.input(`${name}.${layer}`, dtype === "fp32" ? "float32" : dtype === "fp16" ? "float16" : "int8", shape);
  return { elements: stored.dtype === g.floats ? stored : g.cast(stored, "float32"), scale: dtype === "int8" ? g.input(`${name}_scale.${layer}`, "float32", [1, kvHeads, 1, 1, capacity]) : null };
}
