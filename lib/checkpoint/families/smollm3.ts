// smollm3: llama with blocks that know no positions, every fourth one.
import type { Fields } from "../fields.js";
import { everyNthFull, parseWindows } from "../sliding-window.js";
import type { FamilyDefinition } from "./family.js";
import { llamaLike } from "./llama.js";

export const smollm3: FamilyDefinition = {
  config(fields) {
    const common = llamaLike(fields, { kvHeadsOptional: true, rope: { theta: 2e6 } });
    const ropelessLayers = layersWithout(fields, common.layers);
    return {
      ...common,
      tiedEmbeddings: fields.boolean("tie_word_embeddings", true),
      ropelessLayers,
      ...parseWindows(fields, common.layers, { on: fields.boolean("use_sliding_window", false), slides: (layer) => ropelessLayers.includes(layer) }),
      qkvBias: fields.boolean("attention_bias", false),
      outputBias: fields.boolean("attention_bias", false),
      mlpBias: fields.boolean("mlp_bias", false),
    };
  },
};

/** `no_rope_layers` has 0 for those, 1 for others. */
function layersWithout(fields: Fields, layers: number): number[] {
  const all = Array.from({ length: layers }, (_, layer) => layer);
  const given = fields.raw("no_rope_layers");
  if (given === undefined) {
    const rotates = everyNthFull(fields.integer("no_rope_layer_interval", 1, 4));
    return all.filter((layer) => !rotates(layer));
  }
  if (!Array.isArray(given) || given.length !== layers || !given.every((value) => value === 0 || value === 1)) {
    throw fields.error("no_rope_layers", `must be ${layers} of 0 and 1, one for each layer`);
  }
  return all.filter((layer) => given[layer] === 0);
}
