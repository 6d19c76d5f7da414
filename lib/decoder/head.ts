import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import { required, type Weights } from "./weights.js";

/** Token ids `[b, n]` -> hidden states `[b, n, d]`. */
export function embed(weights: Weights, ids: Value): Value {
  return weights.rows("model.embed_tokens.weight", ids);
}

/** Hidden states `[b, n, d]` after the last block -> logits `[b, n, vocabulary]`. */
export function head(g: GraphBuilder, weights: Weights, config: ModelConfig, hidden: Value): Value {
  const normed = g.rmsNorm(hidden, required(weights, "model.norm.weight"), config.normEps);
  // One tensor for both may be held in two ways: then the head is there too.
  const shared = config.tiedEmbeddings && !weights.has("lm_head.weight");
  return weights.product(shared ? "model.embed_tokens.weight" : "lm_head.weight", normed);
}
