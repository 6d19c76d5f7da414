import type { Experts, ModelConfig } from "./types.js";

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
    ...Array.from({ length: layers }, (_, layer) => blockTensors(config, layer).map(({ name, shape }) => ({ name: `model.layers.${layer}.${name}`, shape }))).flat(),
    ...norm("model.norm", config),
    ...(tiedEmbeddings ? [] : [{ name: "lm_head.weight", shape: [vocabSize, hiddenSize] }]),
  ];
}

function blockTensors(config: ModelConfig, layer: number): RequiredTensor[] {
  const { hiddenSize, heads, kvHeads, headDim, qkvBias, outputBias, inputNorms, outputNorms, parallel, attentionSinks, experts } = config;
  const queries = heads * headDim;
  const keys = kvHeads * headDim;
  return [
    ...(inputNorms ? norm("input_layernorm", config) : []),
    ...linear("self_attn.q_proj", queries, hiddenSize, qkvBias),
    ...linear("self_attn.k_proj", keys, hiddenSize, qkvBias),
    ...linear("self_attn.v_proj", keys, hiddenSize, qkvBias),
    ...headNorm("self_attn.q_norm", heads, config),
    ...headNorm("self_attn.k_norm", kvHeads, config),
    ...(attentionSinks ? [{ name: "self_attn.sinks.weight", shape: [heads] }] : []),
    ...linear("self_attn.o_proj", hiddenSize, queries, outputBias),
    ...((outputNorms || inputNorms) && parallel !== "one norm" ? norm("post_attention_layernorm", config) : []),
    ...(outputNorms && inputNorms ? norm("pre_feedforward_layernorm", config) : []),
    ...(experts && !experts.denseLayers.includes(layer) ? expertTensors(config, experts) : mlp("mlp", config, config.ffnSize, config.mlpBias)),
    ...(outputNorms ? norm("post_feedforward_layernorm", config) : []),
  ];
}

function mlp(name: string, { hiddenSize, gatedMlp }: ModelConfig, size: number, bias: boolean): RequiredTensor[] {
  return [
    ...(gatedMlp ? linear(`${name}.gate_proj`, size, hiddenSize, bias) : []),
    ...linear(`${name}.up_proj`, size, hiddenSize, bias),
    ...linear(`${name}.down_proj`, hiddenSize, size, bias),
  ];
}

function expertTensors(config: ModelConfig, { count, size, sharedSize, bias }: Experts): RequiredTensor[] {
  return [
    ...linear("mlp.gate", count, config.hiddenSize, bias),
    ...Array.from({ length: count }, (_, expert) => mlp(`mlp.experts.${expert}`, config, size, bias)).flat(),
    ...(sharedSize === null ? [] : [...mlp("mlp.shared_expert", config, sharedSize, false), ...linear("mlp.shared_expert_gate", 1, config.hiddenSize, false)]),
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
