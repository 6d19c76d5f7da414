// starcoder2: layer norms, a plain MLP under names of its own, a bias everywhere.
import { parseOneWindow } from "../sliding-window.js";
import { blockTensor, type FamilyDefinition } from "./family.js";
import { llamaLike } from "./llama.js";

const modules: Readonly<Record<string, string>> = { "mlp.up_proj": "mlp.c_fc", "mlp.down_proj": "mlp.c_proj" };

export const starcoder2: FamilyDefinition = {
  config(fields) {
    const common = llamaLike(fields, { eps: { field: "norm_epsilon", fallback: 1e-5 }, activation: { fallback: "gelu_pytorch_tanh" } });
    const bias = fields.boolean("use_bias", true);
    return {
      ...common,
      norm: "layer",
      normBias: true,
      gatedMlp: false,
      tiedEmbeddings: fields.boolean("tie_word_embeddings", true),
      ...parseOneWindow(fields, common.layers),
      qkvBias: bias,
      outputBias: bias,
      mlpBias: bias,
    };
  },
  source(name) {
    const block = blockTensor(name);
    const own = block && modules[block.module];
    return { name: own ? `model.layers.${block.layer}.${own}.${block.kind}` : name };
  },
};
