// phi3: queries, keys and values in one matrix, gate and up in another.
import { blockTensor, rows, type FamilyDefinition } from "./family.js";
import { llamaLike } from "./llama.js";

export const phi3: FamilyDefinition = {
  config(fields) {
    fields.choice("hidden_act", ["silu"], "silu");
    return {
      ...llamaLike(fields, { kvHeadsOptional: true }),
      tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
      slidingWindow: fields.has("sliding_window") ? fields.integer("sliding_window") : null,
    };
  },
  source(name, { heads, kvHeads, headDim, hiddenSize, ffnSize }) {
    const block = blockTensor(name);
    const [q, k] = [heads * headDim, kvHeads * headDim];
    const part = (fused: string, size: number, from: number, to: number) =>
      ({ name: `model.layers.${block!.layer}.${fused}.weight`, view: rows([size, hiddenSize], from, to) });
    switch (block?.module) {
      case "self_attn.q_proj": return part("self_attn.qkv_proj", q + 2 * k, 0, q);
      case "self_attn.k_proj": return part("self_attn.qkv_proj", q + 2 * k, q, q + k);
      case "self_attn.v_proj": return part("self_attn.qkv_proj", q + 2 * k, q + k, q + 2 * k);
      case "mlp.gate_proj": return part("mlp.gate_up_proj", 2 * ffnSize, 0, ffnSize);
      case "mlp.up_proj": return part("mlp.gate_up_proj", 2 * ffnSize, ffnSize, 2 * ffnSize);
      default: return { name };
    }
  },
};
