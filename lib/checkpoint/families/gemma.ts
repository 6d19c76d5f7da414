// gemma, gemma2, gemma3: norms whose weights are added to 1, scaled embeddings, GELU. From gemma2 on norms on the outputs of
// attention and MLP, and a window in most blocks; gemma2 caps scores and logits; gemma3 has norms on queries and keys, and other
// rotary frequencies where there is a window.
import type { Fields } from "../fields.js";
import { everyNthFull, parseWindows } from "../sliding-window.js";
import type { Family } from "../types.js";
import { readsImages, type FamilyConfig, type FamilyDefinition } from "./family.js";
import { llamaLike } from "./llama.js";

export const gemma: FamilyDefinition = {
  buffers: readsImages,
  config(original, family) {
    const fields = family === "gemma3_text" ? original.withDefaults(gemma3Defaults) : original;
    const common = llamaLike(fields, {
      headDimRequired: true,
      activation: activation(fields),
      ...(family === "gemma3_text" && { rope: { theta: 1e6, window: { theta: 10000, field: "rope_local_base_freq" } } }),
    });
    return {
      ...common,
      activation: "gelu_tanh",
      normOffset: 1,
      embeddingScale: Math.sqrt(common.hiddenSize),
      tiedEmbeddings: fields.boolean("tie_word_embeddings", true),
      qkvBias: fields.boolean("attention_bias", false),
      outputBias: fields.boolean("attention_bias", false),
      ...(family !== "gemma" && sinceGemma2(fields, family, common.layers)),
    };
  },
};

/** What gemma3's published files leave out. */
const gemma3Defaults = {
  num_attention_heads: 8, num_key_value_heads: 4, head_dim: 256, vocab_size: 262_208, hidden_size: 2304, intermediate_size: 9216, num_hidden_layers: 26,
  max_position_embeddings: 131_072, rms_norm_eps: 1e-6,
} as const;

/** The older field says "gelu" in the first gemma's files and means the approximation, as transformers does. */
function activation(fields: Fields): { field: string; fallback: string } {
  const tanh = "gelu_pytorch_tanh";
  if (fields.has("hidden_activation")) fields.choice("hidden_activation", [tanh]);
  else fields.choice("hidden_act", [tanh, "gelu"], tanh);
  return { field: fields.has("hidden_activation") ? "hidden_activation" : "hidden_act", fallback: tanh };
}

function sinceGemma2(fields: Fields, family: Family, layers: number): Partial<FamilyConfig> {
  if (fields.boolean("use_bidirectional_attention", false)) throw fields.error("use_bidirectional_attention", "supported: false, a decoder");
  const third = family === "gemma3_text";
  // transformers leaves gemma3's scores uncapped, whatever the field says.
  if (third && fields.has("attn_logit_softcapping")) throw fields.error("attn_logit_softcapping", "supported for gemma3: null");
  return {
    outputNorms: true,
    attentionScale: fields.positive("query_pre_attn_scalar", 256) ** -0.5,
    attentionSoftcap: softcap(fields, "attn_logit_softcapping", third ? null : 50),
    logitSoftcap: softcap(fields, "final_logit_softcapping", third ? null : 30),
    ...parseWindows(fields, layers, { fallback: 4096, slides: everyNthFull(third ? fields.integer("sliding_window_pattern", 1, 6) : 2) }),
    qkNorm: third ? "head" : null,
  };
}

/** null in the file means none; where the field is absent, transformers has a default. */
function softcap(fields: Fields, field: string, fallback: number | null): number | null {
  if (fields.isNull(field)) return null;
  return fields.has(field) ? fields.positive(field) : fallback;
}
