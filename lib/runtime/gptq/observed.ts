import type { Weights } from "../../decoder/weights.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import type { Graph, Value } from "../../onnx/graph.js";
import { inlineMatrix, type RoundedMatrix } from "./rounded.js";

/**
 * Weights some of which have been rounded already, every product with them seen.
 * @param onProduct told the weight's name and the product's input `[…, in]`
 */
export function observed(g: GraphBuilder, weights: Weights, rounded: ReadonlyMap<string, RoundedMatrix>, onProduct: (name: string, x: Value) => void = () => {}): Weights {
  return {
    ...weights,
    product(name, x) {
      onProduct(name, x);
      const matrix = rounded.get(name);
      return matrix ? g.linearNBits(x, inlineMatrix(g, name, matrix), "int8") : weights.product(name, x);
    },
  };
}

/** Leaves out what no output of a graph needs: ONNX Runtime would compute it all the same. */
export function onlyNeeded(g: Graph): void {
  const needed = new Set<Value>(g.outputs.map(({ value }) => value));
  const keep = <T>(list: T[], wanted: (item: T) => boolean) => list.splice(0, list.length, ...list.filter(wanted));
  for (let i = g.nodes.length - 1; i >= 0; i--) {
    const node = g.nodes[i]!;
    if (!node.outputs.some((value) => needed.has(value))) continue;
    for (const input of node.inputs) if (input) needed.add(input);
  }
  keep(g.nodes, ({ outputs }) => outputs.some((value) => needed.has(value)));
  keep(g.initializers, ({ value }) => needed.has(value));
  keep(g.inputs, (value) => needed.has(value));
}
