// glm, glm4: half of each head turned, neighbours together, gate and up in one matrix; glm4 has norms on outputs as well.
import { requireFull } from "../sliding-window.js";
import { blockTensor, type FamilyDefinition } from "./family.js";
import { fusedMlp } from "./fused.js";
import { llamaLike } from "./llama.js";

/** glm4's names for the norms of a block. */
const norms: Readonly<Record<string, string>> = {
  post_attention_layernorm: "post_self_attn_layernorm", pre_feedforward_layernorm: "post_attention_layernorm", post_feedforward_layernorm: "post_mlp_layernorm",
};

export const glm: FamilyDefinition = {
  config(original, family) {
    const fields = original.withDefaults({ head_dim: 128, num_key_value_heads: 2 });
    const common = llamaLike(fields, { eps: { field: "rms_norm_eps", fallback: 1.5625e-7 }, rope: { share: 0.5 } });
    requireFull(fields, common.layers);
    return {
      ...common,
      outputNorms: family === "glm4",
      ropeInterleaved: true,
      tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
      qkvBias: fields.boolean("attention_bias", true),
    };
  },
  source(name, config) {
    const block = blockTensor(name);
    const norm = config.outputNorms && block ? norms[block.module] : undefined;
    return fusedMlp(name, config) ?? { name: norm ? `model.layers.${block!.layer}.${norm}.${block!.kind}` : name };
  },
};
