import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import { attend, scoreBias, splitHeads, type Attention } from "./attention.js";
import { block } from "./block.js";
import { embed, head } from "./head.js";
import { crossEntropy, divergence } from "./loss.js";
import { layerRotary, rotaryInputs } from "./positions.js";
import type { Looking } from "../methods/scorers/paid.js";
import type { Weights } from "./weights.js";

/** How each next token counts: logits `[m, vocabulary]` and targets `[m, 1]` -> `[m, 1]`. */
export type TokenLoss = (g: GraphBuilder, logits: Value, targets: Value) => Value;

/** Sees and may change what goes through a frozen model. */
export interface FrozenHooks {
  /** Sees the output `[1, n, d]` of every block and gives what the next block takes. */
  readonly afterBlock?: (hidden: Value, layer: number) => Value;
  /** What is added to every query's score of each key in a block, `[1, n]`; null: nothing. Asked in the order of the blocks. */
  readonly keyBias?: (layer: number) => Value | null;
  /** Sees what a block's attention is computed from, and `rows`: queries `[1, n, heads * headDim]`, keys `[1, kvHeads, n, headDim]`, sinks. */
  readonly beforeAttention?: (looking: Pick<Looking, "queries" | "keys" | "sinks">, layer: number, rows: Value) => void;
}

/**
 * A frozen model over one sequence of `n` tokens, differentiable, to be run any number of times in one graph.
 * Inputs: `ids` `[1, n]` int64; with rotary positions `cos`, `sin` (see `rotaryInputs`); `rows` `[m]` int64, the tokens whose next token counts.
 * @returns a function that adds one pass and gives the logits of `rows`, `[m, vocabulary]`
 */
export function frozenModel(g: GraphBuilder, weights: Weights, config: ModelConfig): (hooks: FrozenHooks) => Value {
  const ids = g.input("ids", "int64", [1, "n"]);
  const rotaries = rotaryInputs(g, config, "n");
  const rows = g.input("rows", "int64", ["m"]);
  const positions = g.range("n");
  const embedded = embed(g, weights, config, ids, positions);
  return ({ afterBlock = (hidden) => hidden, keyBias = () => null, beforeAttention = () => {} }) => {
    const attention: Attention = (g, projections, layer) => {
      const { q, key, value } = splitHeads(g, config, projections);
      beforeAttention({ queries: projections.q, keys: key, sinks: projections.sinks ?? null }, layer, rows);
      const causal = scoreBias(g, config, layer, positions, positions);
      const extra = keyBias(layer);
      return { ...attend(g, config, q, key, value, extra ? g.add(causal, extra) : causal, projections.sinks), key, value };
    };
    let hidden = embedded;
    for (let layer = 0; layer < config.layers; layer++) {
      hidden = afterBlock(block(g, weights, config, layer, hidden, layerRotary(config, rotaries, layer), attention).hidden, layer);
    }
    // The head is costly where the vocabulary is large: only the rows that count go through it.
    return g.reshape(head(g, weights, config, g.gather(hidden, rows, 1)), ["m", config.vocabSize]);
  };
}

/**
 * The loss of some next tokens. Inputs: `targets` `[m, 1]` int64, those next tokens; `loss_weights` `[m, 1]`, what each counts.
 * @param logits `[m, vocabulary]` @returns the weighted sum of the losses in nats, a scalar
 */
export function textLoss(g: GraphBuilder, logits: Value, tokenLoss: TokenLoss = crossEntropy): Value {
  return weighted(g, tokenLoss(g, logits, g.input("targets", "int64", ["m", 1])));
}

/** How far predictions are from others, weighted and summed: see `divergence`. Inputs: `loss_weights` `[m, 1]`. */
export function modelLoss(g: GraphBuilder, logits: Value, reference: Value): Value {
  return weighted(g, divergence(g, logits, reference));
}

const weighted = (g: GraphBuilder, losses: Value): Value => g.reduceSum(g.mul(losses, g.input("loss_weights", "float32", ["m", 1])), [0, 1]);
