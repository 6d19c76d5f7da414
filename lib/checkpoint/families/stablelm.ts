// stablelm: layer norms, a quarter of each head turned; some have attention and MLP side by side, some a norm for each head.
import { requireFull } from "../sliding-window.js";
import type { FamilyDefinition } from "./family.js";
import { llamaLike } from "./llama.js";

export const stablelm: FamilyDefinition = {
  config(fields) {
    const common = llamaLike(fields, { eps: { field: "layer_norm_eps", fallback: 1e-5 }, rope: { share: 0.25 } });
    requireFull(fields, common.layers);
    return {
      ...common,
      norm: "layer",
      normBias: true,
      parallel: fields.boolean("use_parallel_residual", false) ? "one norm" : null,
      tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
      qkvBias: fields.boolean("use_qkv_bias", false),
      qkNorm: fields.boolean("qk_layernorm", false) ? "head by head" : null,
    };
  },
  source: (name) => ({ name: name.replace(/\.self_attn\.([qk])_norm\.(\d+)\.weight$/, ".self_attn.$1_layernorm.norms.$2.weight") }),
};
