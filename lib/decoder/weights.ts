import type { Value } from "../onnx/graph.js";

/** Where a graph gets its weights: by Hugging Face name (`model.layers.0.mlp.up_proj.weight`). */
export interface Weights {
  /** The weight as a float32 value of the graph. */
  get(name: string): Value;
  /** The same, or null where the model has no such weight. */
  find(name: string): Value | null;
}

/** Names of a block's weights. */
export const blockWeight = (layer: number, name: string): string => `model.layers.${layer}.${name}`;
