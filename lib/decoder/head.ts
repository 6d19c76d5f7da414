import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import { norm } from "./norm.js";
import type { Weights } from "./weights.js";

/** Token ids `[b, n]` at `positions` `[n]` int64 -> hidden states `[b, n, d]`, float32. */
export function embed(g: GraphBuilder, weights: Weights, config: ModelConfig, ids: Value, positions: Value): Value {
  const rows = (name: string, indices: Value) => g.cast(weights.rows(name, indices), "float32");
  const tokens = rows("model.embed_tokens.weight", ids);
  const scaled = config.embeddingScale === 1 ? tokens : g.mul(tokens, config.embeddingScale);
  const placed = config.positions === "learned" ? g.add(scaled, rows("model.embed_positions.weight", positions)) : scaled;
  return config.embeddingNorm ? g.cast(norm(g, weights, config, "model.embed_norm", placed), "float32") : placed;
}

/** Hidden states `[b, n, d]` after the last block -> logits `[b, n, vocabulary]`, float32. */
export function head(g: GraphBuilder, weights: Weights, config: ModelConfig, hidden: Value): Value {
  const normed = norm(g, weights, config, "model.norm", hidden);
  // One tensor for both may be held in two ways: then the head is there too.
  const shared = config.tiedEmbeddings && !weights.has("lm_head.weight");
  const logits = g.cast(weights.product(shared ? "model.embed_tokens.weight" : "lm_head.weight", normed), "float32");
  return softcap(g, config.logitScale === 1 ? logits : g.mul(logits, config.logitScale), config.logitSoftcap);
}

/** `cap tanh(x / cap)`, or x without one. */
export function softcap(g: GraphBuilder, x: Value, cap: number | null): Value {
  return cap === null ? x : g.mul(g.tanh(g.div(x, cap)), cap);
}
