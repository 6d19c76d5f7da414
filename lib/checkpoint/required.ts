import type { ModelConfig } from "./types.js";

export interface RequiredTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * Every tensor that a model of this shape must have, by Hugging Face name, in the order of the forward pass.
 * Projections are stored `[out, in]`. `lm_head.weight` only where embeddings are not tied.
 */
export function requiredTensors(config: ModelConfig): RequiredTensor[] {
  const { hiddenSize, vocabSize, layers, tiedEmbeddings } = config;
  const tensors: RequiredTensor[] = [{ name: "model.embed_tokens.weight", shape: [vocabSize, hiddenSize] }];
  for (let layer = 0; layer < layers; layer++) {
    const prefix = `model.layers.${layer}.`;
    for (const { name, shape } of blockTensors(config)) tensors.push({ name: prefix + name, shape });
  }
  tensors.push({ name: "model.norm.weight", shape: [hiddenSize] });
  if (!tiedEmbeddings) tensors.push({ name: "lm_head.weight", shape: [vocabSize, hiddenSize] });
  return tensors;
}

function blockTensors(config: ModelConfig): RequiredTensor[] {
  const { hiddenSize, heads, kvHeads, headDim, ffnSize, qkvBias, outputBias, mlpBias, qkNorm } = config;
  const queries = heads * headDim;
  const keys = kvHeads * headDim;
  return [
    { name: "input_layernorm.weight", shape: [hiddenSize] },
    ...linear("self_attn.q_proj", queries, hiddenSize, qkvBias),
    ...linear("self_attn.k_proj", keys, hiddenSize, qkvBias),
    ...linear("self_attn.v_proj", keys, hiddenSize, qkvBias),
    ...(qkNorm ? [
      { name: "self_attn.q_norm.weight", shape: [headDim] },
      { name: "self_attn.k_norm.weight", shape: [headDim] },
    ] : []),
    ...linear("self_attn.o_proj", hiddenSize, queries, outputBias),
    { name: "post_attention_layernorm.weight", shape: [hiddenSize] },
    ...linear("mlp.gate_proj", ffnSize, hiddenSize, mlpBias),
    ...linear("mlp.up_proj", ffnSize, hiddenSize, mlpBias),
    ...linear("mlp.down_proj", hiddenSize, ffnSize, mlpBias),
  ];
}

function linear(name: string, out: number, input: number, bias: boolean): RequiredTensor[] {
  const weight = { name: `${name}.weight`, shape: [out, input] };
  return bias ? [weight, { name: `${name}.bias`, shape: [out] }] : [weight];
}
