// olmo2, olmo3: norms on the outputs of attention and MLP instead of their inputs, and over all heads of queries and keys at once;
// olmo3 has a window in three blocks of four, and rotary frequencies that are rescaled in the others alone.
import { everyNthFull, noWindow, parseWindows, requireFull } from "../sliding-window.js";
import type { FamilyDefinition } from "./family.js";
import { llamaLike } from "./llama.js";

export const olmo: FamilyDefinition = {
  config(fields, family) {
    const third = family === "olmo3";
    // transformers takes the base beside the sets for blocks without a window alone.
    const common = llamaLike(fields, { kvHeadsOptional: true, eps: { field: "rms_norm_eps", fallback: 1e-5 }, ...(third && { rope: { theta: 5e5, window: { theta: 5e5 } } }) });
    if (!third) requireFull(fields, common.layers);
    const bias = fields.boolean("attention_bias", false);
    return {
      ...common,
      inputNorms: false,
      outputNorms: true,
      tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
      ...(third ? parseWindows(fields, common.layers, { fallback: 4096, slides: everyNthFull(4) }) : noWindow),
      qkvBias: bias,
      outputBias: bias,
      qkNorm: "all heads",
    };
  },
};
