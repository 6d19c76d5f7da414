import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import { required, type Weights } from "./weights.js";

/** The norm `name` of a model (`model.norm`) over the last axis of `x`. */
export function norm(g: GraphBuilder, weights: Weights, { norm, normEps, normOffset }: ModelConfig, name: string, x: Value): Value {
  const weight = required(weights, `${name}.weight`);
  if (norm === "layer") return g.layerNorm(x, weight, required(weights, `${name}.bias`), normEps);
  return g.rmsNorm(x, normOffset === 0 ? weight : g.add(weight, normOffset), normEps);
}
