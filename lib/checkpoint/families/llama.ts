// llama, mistral, qwen2, qwen3: what all other families are described by.
import { parseRope } from "../rope.js";
import { parseSlidingWindow } from "../sliding-window.js";
import type { Fields } from "../fields.js";
import { usual, type FamilyConfig, type FamilyDefinition } from "./family.js";
import { parseHeads, type HeadsOptions } from "./heads.js";

export const llama: FamilyDefinition = {
  config(fields, family) {
    fields.choice("hidden_act", ["silu"], "silu");
    const attentionBias = (family === "llama" || family === "qwen3") && fields.boolean("attention_bias", false);
    const common = llamaLike(fields, { kvHeadsOptional: family === "llama", headDimRequired: family === "qwen3" });
    return {
      ...common,
      tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
      slidingWindow: parseSlidingWindow(fields, family, common.layers),
      qkvBias: family === "qwen2" || attentionBias,
      outputBias: attentionBias,
      mlpBias: family === "llama" && fields.boolean("mlp_bias", false),
      qkNorm: family === "qwen3",
    };
  },
};

/** Sizes and rotary settings under the names that most families share. */
export function llamaLike(fields: Fields, heads: HeadsOptions = {}): FamilyConfig {
  const hiddenSize = fields.integer("hidden_size");
  const { theta, scaling } = parseRope(fields);
  const shape = parseHeads(fields, hiddenSize, heads);
  return {
    ...usual,
    hiddenSize,
    layers: fields.integer("num_hidden_layers"),
    ...shape,
    ffnSize: fields.integer("intermediate_size"),
    vocabSize: fields.integer("vocab_size"),
    // `linear` scaling stretches the positions the model was first made for, which is what such configs state
    // (vLLM reads them the same way); with `llama3` max_position_embeddings already is the stretched length.
    maxPositions: Math.floor(fields.integer("max_position_embeddings") * (scaling?.kind === "linear" ? scaling.factor : 1)),
    ropeTheta: theta,
    ropeScaling: scaling,
    normEps: fields.positive("rms_norm_eps"),
    attentionScale: 1 / Math.sqrt(shape.headDim),
  };
}

