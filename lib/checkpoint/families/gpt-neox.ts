// gpt_neox (Pythia): layer norms, attention and MLP side by side each under its own, a quarter of each head turned; queries, keys and
// values in one matrix, head by head.
import { requireFull } from "../sliding-window.js";
import { blockTensor, projections, type FamilyDefinition, type TensorSource } from "./family.js";
import { llamaLike } from "./llama.js";

const outside: Readonly<Record<string, string>> = {
  "model.embed_tokens.weight": "gpt_neox.embed_in.weight",
  "model.norm.weight": "gpt_neox.final_layer_norm.weight",
  "model.norm.bias": "gpt_neox.final_layer_norm.bias",
};
const modules: Readonly<Record<string, string>> = { "self_attn.o_proj": "attention.dense", "mlp.up_proj": "mlp.dense_h_to_4h", "mlp.down_proj": "mlp.dense_4h_to_h" };

export const gptNeox: FamilyDefinition = {
  buffers: /\.attention\.(bias|masked_bias)$/,
  config(fields) {
    const common = llamaLike(fields, {
      kvHeadsOptional: true,
      eps: { field: "layer_norm_eps", fallback: 1e-5 },
      activation: { fallback: "gelu" },
      rope: { share: 0.25, fields: { theta: "rotary_emb_base", share: "rotary_pct" } },
    });
    requireFull(fields, common.layers);
    if (common.kvHeads !== common.heads) throw fields.error("num_key_value_heads", `supported: as many as num_attention_heads, ${common.heads}`);
    const bias = fields.boolean("attention_bias", true);
    return {
      ...common,
      norm: "layer",
      normBias: true,
      parallel: fields.boolean("use_parallel_residual", true) ? "own norms" : null,
      gatedMlp: false,
      tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
      qkvBias: bias,
      outputBias: bias,
      mlpBias: true,
    };
  },
  source(name, { heads, headDim, hiddenSize }): TensorSource {
    const block = blockTensor(name);
    if (name === "lm_head.weight") return { name: "embed_out.weight", also: name };
    if (!block) return { name: outside[name] ?? name };
    const { layer, module, kind } = block;
    const part = projections.indexOf(module);
    if (part < 0) return { name: `gpt_neox.layers.${layer}.${modules[module] ?? module}.${kind}` };
    const stored = kind === "bias" ? [heads, 3, headDim] : [heads, 3, headDim * hiddenSize];
    return { name: `gpt_neox.layers.${layer}.attention.query_key_value.${kind}`, view: { stored, slice: { axis: 1, from: part, to: part + 1 } } };
  },
};
