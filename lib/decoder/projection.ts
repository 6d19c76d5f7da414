import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import { blockWeight, type Weights } from "./weights.js";

/** A linear layer of a block with its bias, if the checkpoint has one. */
export function projection(g: GraphBuilder, weights: Weights, layer: number, name: string, x: Value): Value {
  const y = weights.product(blockWeight(layer, `${name}.weight`), x);
  const bias = weights.find(blockWeight(layer, `${name}.bias`));
  return bias ? g.add(y, g.cast(bias, y.dtype)) : y;
}
