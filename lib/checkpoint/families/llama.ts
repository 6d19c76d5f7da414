// llama, mistral, ministral, qwen2, qwen3: what all other families are described by.
import { parseRope, type RopeOptions } from "../rope.js";
import { noWindow, parseWindows, requireFull, type Windows } from "../sliding-window.js";
import type { Fields } from "../fields.js";
import type { Family } from "../types.js";
import { activationOf } from "./activation.js";
import { usual, type FamilyConfig, type FamilyDefinition } from "./family.js";
import { parseHeads, type HeadsOptions } from "./heads.js";

export const llama: FamilyDefinition = {
  config(fields, family) {
    const attentionBias = (family === "llama" || family === "qwen3") && fields.boolean("attention_bias", false);
    const common = llamaLike(fields, { kvHeadsOptional: family === "llama", headDimRequired: family === "qwen3" });
    return {
      ...common,
      tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
      ...windows(fields, family, common.layers),
      qkvBias: family === "qwen2" || attentionBias,
      outputBias: attentionBias,
      mlpBias: family === "llama" && fields.boolean("mlp_bias", false),
      qkNorm: family === "qwen3" ? "head" : null,
    };
  },
};

/** What differs in a family's config.json from llama's. */
export interface LlamaLikeOptions extends HeadsOptions {
  readonly rope?: RopeOptions;
  /** The field that has the epsilon of the norms, and its value where that is absent; default `rms_norm_eps`, required. */
  readonly eps?: { readonly field: string; readonly fallback?: number };
  readonly activation?: Parameters<typeof activationOf>[1];
}

/** Sizes and rotary settings under the names that most families share. */
export function llamaLike(fields: Fields, { rope, eps, activation, ...heads }: LlamaLikeOptions = {}): FamilyConfig {
  const hiddenSize = fields.integer("hidden_size");
  const shape = parseHeads(fields, hiddenSize, heads);
  return {
    ...usual,
    hiddenSize,
    layers: fields.integer("num_hidden_layers"),
    ...shape,
    ffnSize: fields.integer("intermediate_size"),
    activation: activationOf(fields, activation),
    vocabSize: fields.integer("vocab_size"),
    ...parseRope(fields, shape.headDim, rope),
    normEps: fields.positive(eps?.field ?? "rms_norm_eps", eps?.fallback),
    attentionScale: 1 / Math.sqrt(shape.headDim),
  };
}

/** mistral and ministral: transformers takes a window of 4096 where the field is absent. qwen2 and qwen3: only with `use_sliding_window`, from block `max_window_layers` on. */
function windows(fields: Fields, family: Family, layers: number): Windows {
  if (family === "llama") {
    requireFull(fields, layers);
    return noWindow;
  }
  if (family === "mistral" || family === "ministral") return parseWindows(fields, layers, { fallback: 4096 });
  const from = fields.integer("max_window_layers", 0, 28);
  return parseWindows(fields, layers, { on: fields.boolean("use_sliding_window", false), fallback: 4096, slides: (layer) => layer >= from });
}
