import type { ModelConfig } from "../checkpoint/types.js";
import { GraphBuilder } from "../onnx/builder.js";
import { gradients } from "../onnx/gradients.js";
import type { Value } from "../onnx/graph.js";
import { trainingAttention } from "./attention.js";
import { block } from "./block.js";
import { outputFinite, outputFiniteBlock } from "./finite.js";
import { embed, head } from "./head.js";
import { crossEntropy } from "./loss.js";
import { layerRotary, rotaryInputs } from "./positions.js";
import { valueWeights } from "./weights.js";

/** A tensor that training changes. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * One training step as a graph, for sequences of one length.
 * Inputs: every parameter by name; `ids` `[batch, length]` and `targets` `[batch * length, 1]` int64;
 * `loss_weights` `[batch * length, 1]` (the loss is their weighted sum: let them add up to 1);
 * `cos`, `sin` `[length, headDim / 2]`.
 * Outputs: `loss` (scalar, nats), `token_losses` `[batch * length, 1]`, and `gradient:NAME` for each parameter.
 */
export function trainingGraph(config: ModelConfig, parameters: readonly Parameter[], batch: number, length: number): GraphBuilder {
  const { g, values, losses } = forward(config, parameters, batch, length);
  const lossWeights = g.input("loss_weights", "float32", [batch * length, 1]);
  const loss = g.reduceSum(g.mul(losses, lossWeights), [0, 1]);
  g.output(loss, "loss");
  g.output(losses, "token_losses");
  const wrt = parameters.map(({ name }) => values.get(name)!);
  gradients(g, loss, wrt).forEach((gradient, i) => g.output(gradient, `gradient:${parameters[i]!.name}`));
  return g;
}

/**
 * The forward pass alone, with the same inputs but `loss_weights`.
 * Outputs: `token_losses` `[batch * length, 1]` in nats and `predictions` `[batch * length]`, the likeliest next tokens; with `finite`
 * `finite.NAME` of each activation (see `outputFinite`).
 */
export function lossGraph(config: ModelConfig, parameters: readonly Parameter[], batch: number, length: number, { finite = false } = {}): GraphBuilder {
  const { g, logits, losses } = forward(config, parameters, batch, length, finite);
  g.output(losses, "token_losses");
  g.output(g.argMax(logits), "predictions");
  return g;
}

function forward(config: ModelConfig, parameters: readonly Parameter[], batch: number, length: number, finite = false) {
  const g = new GraphBuilder("training");
  const values = new Map<string, Value>(parameters.map(({ name, shape }) => [name, g.input(name, "float32", shape)]));
  const weights = valueWeights(g, (name) => values.get(name) ?? null);
  const ids = g.input("ids", "int64", [batch, length]);
  const targets = g.input("targets", "int64", [batch * length, 1]);
  const rotaries = rotaryInputs(g, config, length);
  const attention = trainingAttention(config, length, attentionChunks(length));

  let hidden = embed(g, weights, config, ids, g.constant("int64", Array.from({ length }, (_, position) => position)));
  if (finite) outputFinite(g, "embedding", hidden, 1);
  for (let layer = 0; layer < config.layers; layer++) {
    const result = block(g, weights, config, layer, hidden, layerRotary(config, rotaries, layer), attention);
    hidden = result.hidden;
    if (finite) outputFiniteBlock(g, layer, result);
  }
  const logits = g.reshape(head(g, weights, config, hidden), [batch * length, config.vocabSize]);
  return { g, values, logits, losses: crossEntropy(g, logits, targets) };
}

/** Groups of 128 queries, where the length is a multiple: below that the products get too small to be fast. */
function attentionChunks(length: number): number {
  return length % 128 === 0 ? Math.min(8, length / 128) : 1;
}
