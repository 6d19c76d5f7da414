// granite: llama with factors on embeddings, scores, outputs and logits.
import { requireFull } from "../sliding-window.js";
import type { FamilyDefinition } from "./family.js";
import { llamaLike } from "./llama.js";

export const granite: FamilyDefinition = {
  config(fields) {
    const common = llamaLike(fields, { kvHeadsOptional: true });
    requireFull(fields, common.layers);
    const bias = fields.boolean("attention_bias", false);
    return {
      ...common,
      embeddingScale: fields.positive("embedding_multiplier", 1),
      attentionScale: fields.positive("attention_multiplier", 1),
      residualScale: fields.positive("residual_multiplier", 1),
      logitScale: 1 / fields.positive("logits_scaling", 1),
      tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
      qkvBias: bias,
      outputBias: bias,
      mlpBias: fields.boolean("mlp_bias", false),
    };
  },
};
