import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import { activationNames, scoreActivations } from "../methods/plan/activations.js";
import type { BlockResult } from "./block.js";

/** Of what a graph tells whether it is finite, in the order of the forward pass: all that can be captured but the scores, which are -inf where a token may not look. */
export const finiteNames = (config: Pick<ModelConfig, "layers">): string[] =>
  activationNames(config).filter((name) => !scoreActivations.some((part) => name.endsWith(part)));

/** The output that tells it of an activation. */
export const finiteOutput = (name: string): string => `finite.${name}`;

/** Makes `finite.NAME` `[n]` an output: 0 for each token whose numbers in `x` are all finite, else NaN. @param x `[1, …, n, …]` @param axis that of the tokens */
export function outputFinite(g: GraphBuilder, name: string, x: Value, axis: number): void {
  const others = x.shape.map((_, i) => i).filter((i) => i !== axis);
  // Zero times what is finite is zero, times all else NaN, and sums keep it.
  g.output(g.reduceSum(g.cast(g.mul(x, 0), "float32"), others), finiteOutput(name));
}

/** `outputFinite` for all that a block has made. */
export function outputFiniteBlock(g: GraphBuilder, layer: number, { inside }: Pick<BlockResult, "inside">): void {
  for (const [part, value] of Object.entries(inside)) {
    if (scoreActivations.some((name) => name === part)) continue;
    outputFinite(g, `block.${layer}.${part}`, value, value.rank > 3 ? value.rank - 2 : 1);
  }
}
