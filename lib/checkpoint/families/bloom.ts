// bloom: ALiBi (arXiv:2108.12409) in place of positions, layer norms, one after the embedding too; queries, keys and values
// in one matrix, head by head.
import { blockTensor, layerNormed, projections, type FamilyDefinition, type TensorSource } from "./family.js";

/** ALiBi knows no table of positions that would end, and goes beyond the lengths trained on; this only bounds what is asked for. */
const MAX_POSITIONS = 2 ** 20;

const outside: Readonly<Record<string, string>> = {
  "model.embed_tokens.weight": "word_embeddings.weight",
  "model.embed_norm.weight": "word_embeddings_layernorm.weight",
  "model.embed_norm.bias": "word_embeddings_layernorm.bias",
  "model.norm.weight": "ln_f.weight",
  "model.norm.bias": "ln_f.bias",
};
const modules: Readonly<Record<string, string>> = { "self_attn.o_proj": "self_attention.dense", "mlp.up_proj": "mlp.dense_h_to_4h", "mlp.down_proj": "mlp.dense_4h_to_h" };

export const bloom: FamilyDefinition = {
  prefixes: ["", "transformer."],
  config(fields) {
    if (fields.boolean("apply_residual_connection_post_layernorm", false)) throw fields.error("apply_residual_connection_post_layernorm", "supported: false");
    const either = (...names: string[]) => fields.integer(names.find((name) => fields.has(name)) ?? names[0]!);
    const hiddenSize = either("hidden_size", "n_embed");
    const heads = either("n_head", "num_attention_heads");
    if (hiddenSize % heads !== 0) throw fields.error("n_head", `must divide hidden_size, ${hiddenSize}`);
    const headDim = hiddenSize / heads;
    return {
      ...layerNormed,
      hiddenSize,
      layers: either("n_layer", "num_hidden_layers"),
      heads,
      kvHeads: heads,
      headDim,
      rotaryDim: headDim,
      ffnSize: 4 * hiddenSize,
      activation: "gelu_tanh",
      vocabSize: fields.integer("vocab_size"),
      maxPositions: MAX_POSITIONS,
      positions: "alibi",
      normEps: fields.positive("layer_norm_epsilon", 1e-5),
      attentionScale: 1 / Math.sqrt(headDim),
      tiedEmbeddings: fields.boolean("tie_word_embeddings", true),
      embeddingNorm: true,
    };
  },
  source(name, { heads, headDim, hiddenSize }): TensorSource {
    const block = blockTensor(name);
    if (!block) return { name: outside[name] ?? name };
    const { layer, module, kind } = block;
    const part = projections.indexOf(module);
    if (part < 0) return { name: `h.${layer}.${modules[module] ?? module}.${kind}` };
    const stored = kind === "bias" ? [heads, 3, headDim] : [heads, 3, headDim * hiddenSize];
    return { name: `h.${layer}.self_attention.query_key_value.${kind}`, view: { stored, slice: { axis: 1, from: part, to: part + 1 } } };
  },
};
