import type { ModelConfig } from "../checkpoint/types.js";
import { paid } from "../methods/scorers/paid.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import { frozenModel, textLoss } from "./frozen.js";
import { logOdds } from "./log-odds.js";
import { crossEntropy } from "./loss.js";
import type { Objective } from "./saliency.js";
import type { Weights } from "./weights.js";

export interface AttentionSaliencyOptions {
  readonly config: ModelConfig;
  /** Blocks after which saliency is wanted, ascending. */
  readonly blocks: readonly number[];
  /** What the queries that look make of a token together: their mean (a lookahead, arXiv:2502.02789), or the most that one of them pays (KVzip, arXiv:2505.23416). */
  readonly over: "mean" | "max";
  /** Of what the loss that is told is. */
  readonly objective: Objective;
  /** Give hidden states too. */
  readonly states?: boolean;
}

/**
 * What the tokens in `rows` pay to every token in the blocks after each of `blocks`: of each query the largest over those blocks and their heads; after the last block,
 * nothing. Inputs, and outputs beside the saliency, as in `saliencyGraph`; nothing is differentiated.
 */
export function attentionSaliencyGraph(g: GraphBuilder, weights: Weights, { config, blocks, over, objective, states = false }: AttentionSaliencyOptions): void {
  const model = frozenModel(g, weights, config);
  const positions = g.range("n");
  const byLayer: Value[] = [];
  const logits = model({
    afterBlock(x, layer) {
      if (states && blocks.includes(layer)) g.output(x, `hidden.${layer}`);
      return x;
    },
    beforeAttention({ queries, keys, sinks }, layer, rows) {
      const weights = paid(g, { queries: g.gather(queries, rows, 1), at: rows, keys, positions, sinks, layer, config });
      byLayer.push(g.reduceMax(weights, [0, 1]));
    },
  });
  g.output(textLoss(g, logits, objective === "log-odds" ? logOdds : crossEntropy), "loss");
  // From the last block down: what later blocks look at counts for all before them.
  let later: Value | null = null;
  for (let layer = config.layers - 1; layer >= 0; layer--) {
    if (blocks.includes(layer)) g.output(later ? (over === "mean" ? g.reduceMean(later, [0]) : g.reduceMax(later, [0])) : g.mul(g.reduceMax(byLayer[layer]!, [0]), 0), `saliency.${layer}`);
    later = later ? g.max(later, byLayer[layer]!) : byLayer[layer]!;
  }
}
