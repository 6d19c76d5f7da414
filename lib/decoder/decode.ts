import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import { attentionScale, type Attention } from "./attention.js";
import { block } from "./block.js";
import { embed, head } from "./head.js";
import type { Weights } from "./weights.js";

/**
 * `m` further tokens on top of a cache that stays outside the graph: attention looks at `past` and at the new
 * tokens without joining them, and only the new keys and values come out.
 * Inputs: `ids` `[1, m]` int64; `cos`, `sin` `[m, headDim / 2]` for their positions; for each layer L `past_key.L` and
 * `past_value.L` `[1, kvHeads, capacity_L, headDim]` and `bias.L` `[1 or group * m, capacity_L]`, added to the scores
 * (0 where a slot may be seen, -inf where it is empty or out of the window); `self_bias` `[group * m, m]`, the same among
 * the new tokens (row g * m + i belongs to new token i). group = heads / kvHeads.
 * Outputs: `logits` `[m, vocabulary]`; `key.L`, `value.L` `[1, kvHeads, m, headDim]`; with `attention`, for each layer
 * `attention.L` `[m, capacity_L + m]`: what each new token pays to each slot and to each new token, the mean over heads.
 */
export function decodeGraph(g: GraphBuilder, weights: Weights, config: ModelConfig, { attention = false } = {}): void {
  const { heads, kvHeads, headDim, layers } = config;
  const ids = g.input("ids", "int64", [1, "m"]);
  const table = (name: string) => g.input(name, "float32", ["m", headDim / 2]);
  const rotary = { cos: table("cos"), sin: table("sin") };
  const selfBias = g.input("self_bias", "float32", ["rows", "m"]);
  let hidden = embed(weights, ids);
  for (let layer = 0; layer < layers; layer++) {
    const cache = (name: string) => g.input(`${name}.${layer}`, "float32", [1, kvHeads, `capacity.${layer}`, headDim]);
    const past = {
      key: cache("past_key"),
      value: cache("past_value"),
      bias: g.input(`bias.${layer}`, "float32", [`bias_rows.${layer}`, `capacity.${layer}`]),
    };
    const result = block(g, weights, config, layer, hidden, rotary, cachedAttention(config, past, selfBias));
    hidden = result.hidden;
    g.output(result.key, `key.${layer}`);
    g.output(result.value, `value.${layer}`);
    if (!attention) continue;
    const paid = result.inside["attention.weights"]!;
    const byHead = g.reshape(paid, [heads, "m", paid.shape[3]!]);
    g.output(g.reduceMean(byHead, [0]), `attention.${layer}`);
  }
  g.output(g.reshape(head(g, weights, config, hidden), ["m", config.vocabSize]), "logits");
}

/** Attention over cached keys and values and the new tokens' own. */
function cachedAttention(config: ModelConfig, past: { key: Value; value: Value; bias: Value }, selfBias: Value): Attention {
  const { heads, kvHeads, headDim } = config;
  const group = heads / kvHeads;
  const scale = attentionScale(config);
  return (g, { q, k, v }) => {
    const m = q.shape[1]!;
    const split = (x: Value) => g.transpose(g.reshape(x, [1, m, kvHeads, headDim]), [0, 2, 1, 3]);
    const [key, value] = [split(k), split(v)];
    const grouped = g.transpose(g.reshape(q, [1, m, kvHeads, group, headDim]), [0, 2, 3, 1, 4]);
    const queries = g.reshape(grouped, [1, kvHeads, "rows", headDim]);
    const before = g.add(g.matmul(queries, past.key, { transB: true, alpha: scale }), past.bias);
    const own = g.add(g.matmul(queries, key, { transB: true, alpha: scale }), selfBias);
    const weights = g.softmax(g.concat([before, own], 3, `${past.key.shape[2]}+m`));
    const [onPast, onSelf] = g.splitAt(weights, 3, past.key.shape[2]!, m);
    const mixed = g.add(g.matmul(onPast, past.value), g.matmul(onSelf, value));
    const rows = g.transpose(g.reshape(mixed, [1, kvHeads, group, m, headDim]), [0, 3, 1, 2, 4]);
    return { output: g.reshape(rows, [1, m, heads * headDim]), key, value, weights };
  };
}
