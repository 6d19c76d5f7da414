// gpt2: learned positions, layer norms, matrices stored [in, out], queries, keys and values in one.
import { blockTensor, layerNormed, projections, type FamilyDefinition, type TensorSource } from "./family.js";

const outside: Readonly<Record<string, string>> = {
  "model.embed_tokens.weight": "wte.weight",
  "model.embed_positions.weight": "wpe.weight",
  "model.norm.weight": "ln_f.weight",
  "model.norm.bias": "ln_f.bias",
};
const modules: Readonly<Record<string, string>> = {
  "input_layernorm": "ln_1", "post_attention_layernorm": "ln_2", "self_attn.o_proj": "attn.c_proj", "mlp.up_proj": "mlp.c_fc", "mlp.down_proj": "mlp.c_proj",
};

export const gpt2: FamilyDefinition = {
  prefixes: ["", "transformer."],
  buffers: /(^|\.)h\.\d+\.attn\.(bias|masked_bias)$/,
  config(fields) {
    const activation = fields.choice("activation_function", ["gelu_new", "gelu_pytorch_tanh", "gelu"], "gelu_new");
    for (const [field, right] of [["scale_attn_weights", true], ["scale_attn_by_inverse_layer_idx", false], ["add_cross_attention", false]] as const) {
      if (fields.boolean(field, right) !== right) throw fields.error(field, `supported: ${right}`);
    }
    const hiddenSize = fields.integer("n_embd");
    const heads = fields.integer("n_head");
    if (hiddenSize % heads !== 0) throw fields.error("n_embd", `must be a multiple of n_head, ${heads}`);
    const headDim = hiddenSize / heads;
    return {
      ...layerNormed,
      hiddenSize,
      layers: fields.integer("n_layer"),
      heads,
      kvHeads: heads,
      headDim,
      rotaryDim: headDim,
      ffnSize: fields.integer("n_inner", 1, 4 * hiddenSize),
      activation: activation === "gelu" ? "gelu" : "gelu_tanh",
      vocabSize: fields.integer("vocab_size"),
      maxPositions: fields.integer("n_positions"),
      positions: "learned",
      normEps: fields.positive("layer_norm_epsilon", 1e-5),
      attentionScale: 1 / Math.sqrt(headDim),
      tiedEmbeddings: fields.boolean("tie_word_embeddings", true),
    };
  },
  source(name, config): TensorSource {
    const block = blockTensor(name);
    if (!block) return { name: outside[name] ?? name };
    const { layer, module, kind } = block;
    const part = projections.indexOf(module);
    const own = `h.${layer}.${part < 0 ? modules[module] : "attn.c_attn"}.${kind}`;
    const d = config.hiddenSize;
    const slice = part < 0 ? {} : { slice: { axis: kind === "bias" ? 0 : 1, from: part * d, to: (part + 1) * d } };
    if (kind === "bias") return part < 0 ? { name: own } : { name: own, view: { stored: [3 * d], ...slice } };
    if (!/_proj$/.test(module)) return { name: own };
    const stored = part >= 0 ? [d, 3 * d] : module === "mlp.up_proj" ? [d, config.ffnSize] : module === "mlp.down_proj" ? [config.ffnSize, d] : [d, d];
    return { name: own, view: { stored, ...slice, perm: [1, 0] } };
  },
};
