import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import { chunkedAttention } from "./attention.js";
import { block } from "./block.js";
import { embed, head } from "./head.js";
import { crossEntropy } from "./loss.js";
import { rotaryInputs } from "./positions.js";
import type { Weights } from "./weights.js";

/** How each next token counts: logits `[m, vocabulary]` and targets `[m, 1]` -> `[m, 1]`. */
export type TokenLoss = (g: GraphBuilder, logits: Value, targets: Value) => Value;

/**
 * A frozen model over one sequence of `n` tokens with the loss of some of its next tokens, all differentiable.
 * Inputs: `ids` `[1, n]` int64; with rotary positions `cos`, `sin` `[n, headDim / 2]`; `rows` `[m]` int64, the tokens whose next token counts;
 * `targets` `[m, 1]` int64, those next tokens; `loss_weights` `[m, 1]`, what each counts.
 * @param afterBlock sees the output `[1, n, d]` of every block and gives what the next block takes
 * @param tokenLoss default: cross-entropy
 * @returns the weighted sum of the losses in nats, a scalar
 */
export function frozenLoss(
  g: GraphBuilder,
  weights: Weights,
  config: ModelConfig,
  afterBlock: (hidden: Value, layer: number) => Value,
  tokenLoss: TokenLoss = crossEntropy,
): Value {
  const ids = g.input("ids", "int64", [1, "n"]);
  const rotary = rotaryInputs(g, config, "n");
  const positions = g.range("n");
  const attention = chunkedAttention(config, positions, 1);
  let hidden = embed(g, weights, config, ids, positions);
  for (let layer = 0; layer < config.layers; layer++) {
    hidden = afterBlock(block(g, weights, config, layer, hidden, rotary, attention).hidden, layer);
  }
  // The head is costly where the vocabulary is large: only the rows that count go through it.
  const counted = g.gather(hidden, g.input("rows", "int64", ["m"]), 1);
  const logits = g.reshape(head(g, weights, config, counted), ["m", config.vocabSize]);
  const losses = tokenLoss(g, logits, g.input("targets", "int64", ["m", 1]));
  return g.reduceSum(g.mul(losses, g.input("loss_weights", "float32", ["m", 1])), [0, 1]);
}
