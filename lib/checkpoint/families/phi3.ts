// phi3 (3, 3.5, 4, 4-mini): queries, keys and values in one matrix, gate and up in another; longrope, a share of each head turned.
import { parseOneWindow } from "../sliding-window.js";
import { type FamilyDefinition } from "./family.js";
import { fusedAttention, fusedMlp } from "./fused.js";
import { llamaLike } from "./llama.js";

export const phi3: FamilyDefinition = {
  config(fields) {
    const common = llamaLike(fields, {
      kvHeadsOptional: true,
      // Early files call longrope "su" or "yarn".
      rope: { share: 1, kinds: { default: "default", longrope: "longrope", su: "longrope", yarn: "longrope" }, originalMaxPositions: 4096 },
    });
    return { ...common, tiedEmbeddings: fields.boolean("tie_word_embeddings", false), ...parseOneWindow(fields, common.layers) };
  },
  source: (name, config) => fusedAttention(name, config) ?? fusedMlp(name, config) ?? { name },
};
