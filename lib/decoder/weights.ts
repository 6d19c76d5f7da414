import type { GraphBuilder, QuantizedMatrix } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";

/** Where a graph gets its weights: by Hugging Face name (`model.layers.0.mlp.up_proj.weight`). */
export interface Weights {
  has(name: string): boolean;
  /** The weight as a float32 value of the graph, or null where the model has no such weight. */
  find(name: string): Value | null;
  /** `x · weightᵀ`, whatever the weight is held in, as `x`. */
  product(name: string, x: Value): Value;
  /** Rows of the weight at `indices` (any rank), float32, or as the graph's activations. */
  rows(name: string, indices: Value): Value;
  /** The weight as blocks of quantised elements, where it is held so and its inputs are in their order; else null. */
  blocks(name: string): QuantizedMatrix | null;
  /** The weight as it is stored, its elements along other axes, where that is all of a file's tensor in one float dtype; else null. */
  raw(name: string, shape: readonly number[]): Value | null;
  /** The weights are inputs whose gradients are wanted. */
  readonly trained?: boolean;
}

/** Weights that are float32 values of the graph. */
export function valueWeights(g: GraphBuilder, find: (name: string) => Value | null): Weights {
  const all = { find } as Weights;
  return {
    has: (name) => find(name) !== null,
    find,
    product: (name, x) => g.linear(x, required(all, name)),
    rows: (name, indices) => g.gather(required(all, name), indices),
    blocks: () => null,
    raw: () => null,
    trained: true,
  };
}

/** @throws where the model has no such weight */
export function required(weights: Pick<Weights, "find">, name: string): Value {
  const value = weights.find(name);
  if (!value) throw new Error(`weight ${name}: is missing`);
  return value;
}

/** Names of a block's weights. */
export const blockWeight = (layer: number, name: string): string => `model.layers.${layer}.${name}`;
