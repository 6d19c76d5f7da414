// exaone4: norms on outputs and on each head; where some blocks have a window, the others know no positions.
import type { Fields } from "../fields.js";
import { everyNthFull, parseWindows } from "../sliding-window.js";
import type { FamilyDefinition } from "./family.js";
import { llamaLike } from "./llama.js";

export const exaone4: FamilyDefinition = {
  config(fields) {
    const common = llamaLike(fields, { eps: { field: "rms_norm_eps", fallback: 1e-5 } });
    const windows = parseWindows(fields, common.layers, { fallback: 4096, slides: slides(fields) });
    // What counts is the field, whether or not a block has the window.
    const ropelessLayers = fields.isNull("sliding_window") ? [] : windows.slidingWindow === null ? Array.from({ length: common.layers }, (_, layer) => layer) : windows.fullLayers;
    return {
      ...common,
      inputNorms: false,
      outputNorms: true,
      tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
      ...windows,
      ropelessLayers,
      qkNorm: "head",
    };
  },
};

/** Every fourth block is without, or as `sliding_window_pattern` says: a number, or a letter for each block of a round, L with and G without. */
function slides(fields: Fields): (layer: number) => boolean {
  const pattern = fields.raw("sliding_window_pattern");
  if (typeof pattern !== "string") return everyNthFull(fields.integer("sliding_window_pattern", 1, 4));
  if (!/^[LG]+$/.test(pattern)) throw fields.error("sliding_window_pattern", "must be a number, or letters L and G");
  return (layer) => pattern[layer % pattern.length] === "L";
}
