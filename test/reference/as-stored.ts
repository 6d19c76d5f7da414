// The other way round: weights under llama's names, put back into each family's own names and layouts.
import type { HfConfig } from "./config.js";

type Values = ReadonlyMap<string, Float32Array>;

const transposed = (matrix: Float32Array, rows: number): Float32Array => {
  const columns = matrix.length / rows;
  return Float32Array.from(matrix, (_, i) => matrix[(i % rows) * columns + Math.floor(i / rows)]!);
};
const joined = (parts: Float32Array[]): Float32Array => Float32Array.from(parts.flatMap((part) => [...part]));
/** Head by head from each part in turn. */
const interleaved = (parts: Float32Array[], heads: number): Float32Array =>
  joined(Array.from({ length: heads }, (_, head) => parts.map((part) => part.subarray((head * part.length) / heads, ((head + 1) * part.length) / heads))).flat());

export function asStored(config: HfConfig, weights: Values): Map<string, Float32Array> {
  const stored = new Map(weights);
  const layers = Array.from({ length: (config["n_layer"] as number | undefined) ?? config.num_hidden_layers }, (_, layer) => `model.layers.${layer}.`);
  const three = (prefix: string, kind: string) => ["q", "k", "v"].map((name) => weights.get(`${prefix}self_attn.${name}_proj.${kind}`)!);
  const prefix = (config["tensor_prefix"] as string | undefined) ?? "";
  const put = (name: string, values: Float32Array | undefined) => stored.set(prefix + name, values!);
  if (config.model_type === "phi3") {
    for (const layer of layers) {
      stored.set(`${layer}self_attn.qkv_proj.weight`, joined(three(layer, "weight")));
      stored.set(`${layer}mlp.gate_up_proj.weight`, joined(["gate", "up"].map((name) => weights.get(`${layer}mlp.${name}_proj.weight`)!)));
    }
  }
  if (config.model_type !== "gpt2" && config.model_type !== "bloom") return stored;
  const gpt2 = config.model_type === "gpt2";
  put(gpt2 ? "wte.weight" : "word_embeddings.weight", weights.get("model.embed_tokens.weight"));
  put("wpe.weight", weights.get("model.embed_positions.weight"));
  for (const kind of ["weight", "bias"]) {
    put(`word_embeddings_layernorm.${kind}`, weights.get(`model.embed_norm.${kind}`));
    put(`ln_f.${kind}`, weights.get(`model.norm.${kind}`));
    for (const [i, layer] of layers.entries()) {
      const turned = (values: Float32Array, rows: number) => (gpt2 && kind === "weight" ? transposed(values, rows) : values);
      const own = (name: string) => weights.get(`${layer}${name}.${kind}`)!;
      const d = config.hidden_size;
      put(`h.${i}.${gpt2 ? "ln_1" : "input_layernorm"}.${kind}`, own("input_layernorm"));
      put(`h.${i}.${gpt2 ? "ln_2" : "post_attention_layernorm"}.${kind}`, own("post_attention_layernorm"));
      put(`h.${i}.${gpt2 ? "attn.c_attn" : "self_attention.query_key_value"}.${kind}`, gpt2 ? turned(joined(three(layer, kind)), 3 * d) : interleaved(three(layer, kind), config.num_attention_heads));
      put(`h.${i}.${gpt2 ? "attn.c_proj" : "self_attention.dense"}.${kind}`, turned(own("self_attn.o_proj"), d));
      put(`h.${i}.mlp.${gpt2 ? "c_fc" : "dense_h_to_4h"}.${kind}`, turned(own("mlp.up_proj"), own("mlp.up_proj").length / d));
      put(`h.${i}.mlp.${gpt2 ? "c_proj" : "dense_4h_to_h"}.${kind}`, turned(own("mlp.down_proj"), d));
    }
  }
  return stored;
}
