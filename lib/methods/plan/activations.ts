import type { ModelConfig } from "../../checkpoint/types.js";
import type { Dim } from "../../onnx/graph.js";

/** What can be captured inside a block: `block.L.NAME`. */
export const blockActivations = [
  "attention.input", "attention.query", "attention.key", "attention.value", "attention.scores", "attention.weights", "attention.output",
  "mlp.input", "mlp.output", "hidden",
] as const;
export type BlockActivation = (typeof blockActivations)[number];

/** Those that only plain attention has in memory: quadratic in the tokens present. */
export const scoreActivations: readonly BlockActivation[] = ["attention.scores", "attention.weights"];

/**
 * Names of everything that can be captured, in the order of the forward pass: `embedding`, then for each block L
 * `block.L.attention.input` (after its norm), `.attention.query`, `.key`, `.value` (queries and keys after rotary embedding),
 * `.attention.scores` (scaled, -inf where a token may not look), `.attention.weights` (after the softmax),
 * `.attention.output` and `.mlp.output` (as added to the residual stream), `.mlp.input` (after its norm),
 * and `block.L.hidden`, the block's output before a stage prunes.
 */
export function activationNames(config: Pick<ModelConfig, "layers">): string[] {
  return ["embedding", ...Array.from({ length: config.layers }, (_, layer) => blockActivations.map((name) => `block.${layer}.${name}`)).flat()];
}

/** The block that an activation lies in; null for the embedding, which has the tokens of the first block. @throws on an unknown name */
export function activationBlock(config: Pick<ModelConfig, "layers">, name: string): { layer: number | null; part: BlockActivation | null } {
  if (name === "embedding") return { layer: null, part: null };
  const [, layer, part] = /^block\.(\d+)\.(.+)$/.exec(name) ?? [];
  const known = blockActivations.find((each) => each === part);
  if (layer === undefined || !known || Number(layer) >= config.layers || String(Number(layer)) !== layer) {
    throw new Error(`activation: ${name} (must be embedding, or block.0 … block.${config.layers - 1} with ${blockActivations.map((each) => `.${each}`).join(", ")})`);
  }
  return { layer: Number(layer), part: known };
}

/** Shape of an activation where `n` tokens are present. */
export function activationShape(config: ModelConfig, part: BlockActivation | null, n: Dim): Dim[] {
  switch (part) {
    case "attention.query": return [config.heads, n, config.headDim];
    case "attention.key": case "attention.value": return [config.kvHeads, n, config.headDim];
    case "attention.scores": case "attention.weights": return [config.heads, n, n];
    default: return [n, config.hiddenSize];
  }
}
