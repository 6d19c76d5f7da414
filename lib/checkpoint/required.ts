import type { ModelConfig } from "./types.js";

export interface RequiredTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * Every tensor that a model of this shape must have, by llama's Hugging Face name, in the order of the forward pass.
 * Projections are `[out, in]`. `lm_head.weight` only where embeddings are not tied.
 */
export function requiredTensors(config: ModelConfig): RequiredTensor[] {
  const { hiddenSize, vocabSize, layers, tiedEmbeddings, positions, maxPositions, embeddingNorm } = config;
  return [
    { name: "model.embed_tokens.weight", shape: [vocabSize, hiddenSize] },
    ...(positions === "learned" ? [{ name: "model.embed_positions.weight", shape: [maxPositions, hiddenSize] }] : []),
    ...(embeddingNorm ? norm("model.embed_norm", config) : []),
    ...Array.from({ length: layers }, (_, layer) => blockTensors(config).map(({ name, shape }) => ({ name: `model.layers.${layer}.${name}`, shape }))).flat(),
    ...norm("model.norm", config),
    ...(tiedEmbeddings ? [] : [{ name: "lm_head.weight", shape: [vocabSize, hiddenSize] }]),
  ];
}

function blockTensors(config: ModelConfig): RequiredTensor[] {
  const { hiddenSize, heads, kvHeads, headDim, ffnSize, qkvBias, outputBias, mlpBias, inputNorms, outputNorms, parallel, gatedMlp } = config;
  const queries = heads * headDim;
  const keys = kvHeads * headDim;
  return [
    ...(inputNorms ? norm("input_layernorm", config) : []),
    ...linear("self_attn.q_proj", queries, hiddenSize, qkvBias),
    ...linear("self_attn.k_proj", keys, hiddenSize, qkvBias),
    ...linear("self_attn.v_proj", keys, hiddenSize, qkvBias),
    ...headNorm("self_attn.q_norm", heads, config),
    ...headNorm("self_attn.k_norm", kvHeads, config),
    ...linear("self_attn.o_proj", hiddenSize, queries, outputBias),
    ...((outputNorms || inputNorms) && parallel !== "one norm" ? norm("post_attention_layernorm", config) : []),
    ...(outputNorms && inputNorms ? norm("pre_feedforward_layernorm", config) : []),
    ...(gatedMlp ? linear("mlp.gate_proj", ffnSize, hiddenSize, mlpBias) : []),
    ...linear("mlp.up_proj", ffnSize, hiddenSize, mlpBias),
    ...linear("mlp.down_proj", hiddenSize, ffnSize, mlpBias),
    ...(outputNorms ? norm("post_feedforward_layernorm", config) : []),
  ];
}

function norm(name: string, { normBias, hiddenSize }: ModelConfig): RequiredTensor[] {
  const weight = { name: `${name}.weight`, shape: [hiddenSize] };
  return normBias ? [weight, { name: `${name}.bias`, shape: [hiddenSize] }] : [weight];
}

function headNorm(name: string, heads: number, { qkNorm, headDim }: ModelConfig): RequiredTensor[] {
  switch (qkNorm) {
    case null: return [];
    case "head": return [{ name: `${name}.weight`, shape: [headDim] }];
    case "each head": return [{ name: `${name}.weight`, shape: [heads, headDim] }];
    case "head by head": return Array.from({ length: heads }, (_, head) => ({ name: `${name}.${head}.weight`, shape: [headDim] }));
    case "all heads": return [{ name: `${name}.weight`, shape: [heads * headDim] }];
  }
}

function linear(name: string, out: number, input: number, bias: boolean): RequiredTensor[] {
  const weight = { name: `${name}.weight`, shape: [out, input] };
  return bias ? [weight, { name: `${name}.bias`, shape: [out] }] : [weight];
}
