// cohere (Command R), cohere2 (Command A, R7B): layer norms without bias, attention and MLP side by side, neighbours turned together,
// scaled logits; cohere2 has a window in three blocks of four, and knows no positions in the others.
import { everyNthFull, noWindow, parseWindows, requireFull } from "../sliding-window.js";
import type { FamilyDefinition } from "./family.js";
import { llamaLike } from "./llama.js";

export const cohere: FamilyDefinition = {
  config(fields, family) {
    const second = family === "cohere2";
    const common = llamaLike(fields, { kvHeadsOptional: true, eps: { field: "layer_norm_eps", fallback: 1e-5 }, rope: second ? {} : { theta: 5e5 } });
    if (!second) requireFull(fields, common.layers);
    const windows = second ? parseWindows(fields, common.layers, { fallback: 4096, slides: everyNthFull(fields.integer("sliding_window_pattern", 1, 4)) }) : noWindow;
    const bias = fields.boolean("attention_bias", false);
    return {
      ...common,
      norm: "layer",
      parallel: "one norm",
      ropeInterleaved: true,
      logitScale: fields.positive("logit_scale", 0.0625),
      tiedEmbeddings: fields.boolean("tie_word_embeddings", true),
      ...windows,
      ropelessLayers: !second ? [] : windows.slidingWindow === null ? Array.from({ length: common.layers }, (_, layer) => layer) : windows.fullLayers,
      qkvBias: bias,
      outputBias: bias,
      qkNorm: !second && fields.boolean("use_qk_norm", false) ? "each head" : null,
    };
  },
};
