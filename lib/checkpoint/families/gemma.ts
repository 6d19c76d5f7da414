// gemma, gemma2: norms whose weights are added to 1, scaled embeddings, GELU; gemma2 has capped scores and logits, norms on
// the outputs of attention and MLP, and a sliding window in every second block.
import type { Fields } from "../fields.js";
import type { FamilyDefinition } from "./family.js";
import { llamaLike } from "./llama.js";

const tanh = ["gelu_pytorch_tanh"] as const;

export const gemma: FamilyDefinition = {
  config(fields, family) {
    // The older field says "gelu" in the first gemma's files and means the approximation, as transformers does.
    if (fields.has("hidden_activation")) fields.choice("hidden_activation", tanh);
    else fields.choice("hidden_act", [...tanh, "gelu"], "gelu_pytorch_tanh");
    const common = llamaLike(fields, { headDimRequired: true });
    const second = family === "gemma2";
    return {
      ...common,
      activation: "gelu_tanh",
      normOffset: 1,
      embeddingScale: Math.sqrt(common.hiddenSize),
      tiedEmbeddings: fields.boolean("tie_word_embeddings", true),
      qkvBias: fields.boolean("attention_bias", false),
      outputBias: fields.boolean("attention_bias", false),
      ...(second && {
        outputNorms: true,
        attentionScale: fields.positive("query_pre_attn_scalar", 256) ** -0.5,
        attentionSoftcap: softcap(fields, "attn_logit_softcapping"),
        logitSoftcap: softcap(fields, "final_logit_softcapping"),
        slidingWindow: window(fields, common.layers),
        windowEvery: 2,
      }),
    };
  },
};

function softcap(fields: Fields, field: string): number | null {
  return fields.isNull(field) || !fields.has(field) ? null : fields.positive(field);
}

/** Blocks 0, 2, 4, … have the window; `layer_types` may only say the same. */
function window(fields: Fields, layers: number): number {
  const kinds = fields.raw("layer_types");
  const expected = Array.from({ length: layers }, (_, layer) => (layer % 2 === 0 ? "sliding_attention" : "full_attention"));
  if (kinds !== undefined && JSON.stringify(kinds) !== JSON.stringify(expected)) throw fields.error("layer_types", "supported: sliding_attention and full_attention in turn");
  return fields.integer("sliding_window", 1, 4096);
}
