import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import type { Weights } from "./weights.js";

/** Token ids `[b, n]` -> hidden states `[b, n, d]`. */
export function embed(g: GraphBuilder, weights: Weights, ids: Value): Value {
  return g.gather(weights.get("model.embed_tokens.weight"), ids);
}

/** Hidden states `[b, n, d]` after the last block -> logits `[b, n, vocabulary]`. */
export function head(g: GraphBuilder, weights: Weights, config: ModelConfig, hidden: Value): Value {
  const normed = g.rmsNorm(hidden, weights.get("model.norm.weight"), config.normEps);
  return g.linear(normed, weights.get(config.tiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight"));
}
