import type { HfConfig } from "./config.js";
import { TINY_SPECIAL, TINY_VOCABULARY } from "./tokenizer.js";

const common = {
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: TINY_VOCABULARY,
  rms_norm_eps: 1e-5,
  max_position_embeddings: 512,
  rope_theta: 10000,
  hidden_act: "silu",
  initializer_range: 0.02,
  attention_dropout: 0,
  bos_token_id: TINY_SPECIAL.bos,
  eos_token_id: TINY_SPECIAL.eos,
  tie_word_embeddings: false,
  use_cache: true,
};
const llama = { ...common, architectures: ["LlamaForCausalLM"], model_type: "llama" as const, rope_scaling: null, attention_bias: false, mlp_bias: false };
const mistral = { ...common, architectures: ["MistralForCausalLM"], model_type: "mistral" as const };
const qwen2 = { ...common, architectures: ["Qwen2ForCausalLM"], model_type: "qwen2" as const, rms_norm_eps: 1e-6, rope_theta: 1e6, use_sliding_window: false, sliding_window: 8, max_window_layers: 3 };
const qwen3 = { ...qwen2, architectures: ["Qwen3ForCausalLM"], model_type: "qwen3" as const, head_dim: 12, attention_bias: false };
const phi3 = { ...common, architectures: ["Phi3ForCausalLM"], model_type: "phi3" as const, rope_scaling: null };
const gemma = { ...common, architectures: ["GemmaForCausalLM"], model_type: "gemma" as const, hidden_act: "gelu_pytorch_tanh", hidden_activation: "gelu_pytorch_tanh", head_dim: 16, tie_word_embeddings: true };
// Their own names for the sizes are what counts; those of `common` are for the tests.
const gpt2 = { ...common, architectures: ["GPT2LMHeadModel"], model_type: "gpt2" as const, n_embd: 32, n_layer: 3, n_head: 4, n_positions: 512, n_ctx: 512, layer_norm_epsilon: 1e-5, activation_function: "gelu_new", num_key_value_heads: 4, tie_word_embeddings: true };
const bloom = { ...common, architectures: ["BloomForCausalLM"], model_type: "bloom" as const, n_layer: 3, n_head: 4, layer_norm_epsilon: 1e-5, num_key_value_heads: 4, tie_word_embeddings: true };

/**
 * Configurations that together use everything a family may differ in: 1 to 4 query heads a kv head, head sizes
 * that are not hidden_size / heads, tied and untied embeddings, biases, rotary scalings, windows, both layouts of
 * the rotary settings, a vocabulary that is not a multiple of 8.
 */
export const variants = {
  llama: { ...llama, num_key_value_heads: 4 },
  "llama-tied": { ...llama, num_key_value_heads: 1, tie_word_embeddings: true },
  "llama-linear-biases": { ...llama, rope_scaling: { type: "linear", factor: 4 }, attention_bias: true, mlp_bias: true },
  "llama-llama3": {
    ...llama,
    num_attention_heads: 6,
    num_key_value_heads: 2,
    head_dim: 8,
    // With this base and head size 8 each of the three kinds of wave occurs.
    rope_theta: 500,
    rope_scaling: { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 },
  },
  "llama-rope-parameters": { ...llama, rope_theta: undefined, rope_scaling: undefined, rope_parameters: { rope_type: "linear", rope_theta: 20000, factor: 2 } },
  mistral: { ...mistral, num_key_value_heads: 1, sliding_window: 8 },
  "mistral-unlimited": { ...mistral, sliding_window: null, head_dim: 16 },
  qwen2: { ...qwen2 },
  "qwen2-tied": { ...qwen2, num_attention_heads: 8, num_key_value_heads: 2, tie_word_embeddings: true },
  qwen3: { ...qwen3 },
  "qwen3-tied": { ...qwen3, num_attention_heads: 3, num_key_value_heads: 1, head_dim: 16, tie_word_embeddings: true },
  phi3: { ...phi3, sliding_window: 8 },
  gemma: { ...gemma, num_key_value_heads: 1 },
  gemma2: {
    ...gemma, architectures: ["Gemma2ForCausalLM"], model_type: "gemma2" as const, sliding_window: 8,
    query_pre_attn_scalar: 24, attn_logit_softcapping: 3, final_logit_softcapping: 5,
  },
  gpt2: { ...gpt2 },
  "gpt2-prefixed": { ...gpt2, n_inner: 40, tensor_prefix: "transformer." },
  bloom: { ...bloom },
  "bloom-six-heads": { ...bloom, hidden_size: 48, n_head: 6, num_attention_heads: 6, num_key_value_heads: 6, tensor_prefix: "transformer." },
} satisfies Record<string, HfConfig>;

export type Variant = keyof typeof variants;

/** Names and shapes of all tensors that a configuration has in a Hugging Face checkpoint. */
export function tensorShapes(config: HfConfig): [name: string, shape: number[]][] {
  if (config.model_type === "gpt2") return gpt2Shapes(config);
  if (config.model_type === "bloom") return bloomShapes(config);
  const d = config.hidden_size;
  const h = config.head_dim ?? d / config.num_attention_heads;
  const query = config.num_attention_heads * h;
  const key = (config.num_key_value_heads ?? config.num_attention_heads) * h;
  const f = config.intermediate_size;
  const qkvBias = config.model_type === "qwen2" || config.attention_bias === true;
  const shapes: [string, number[]][] = [["model.embed_tokens.weight", [config.vocab_size, d]]];
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const projection = (name: string, rows: number, columns: number, bias: boolean | undefined) => {
      shapes.push([`model.layers.${layer}.${name}.weight`, [rows, columns]]);
      if (bias) shapes.push([`model.layers.${layer}.${name}.bias`, [rows]]);
    };
    const norm = (name: string, size: number) => shapes.push([`model.layers.${layer}.${name}.weight`, [size]]);
    norm("input_layernorm", d);
    if (config.model_type === "phi3") projection("self_attn.qkv_proj", query + 2 * key, d, false);
    else {
      projection("self_attn.q_proj", query, d, qkvBias);
      projection("self_attn.k_proj", key, d, qkvBias);
      projection("self_attn.v_proj", key, d, qkvBias);
    }
    projection("self_attn.o_proj", d, query, config.model_type !== "qwen2" && config.attention_bias);
    if (config.model_type === "qwen3") ["q_norm", "k_norm"].forEach((name) => norm(`self_attn.${name}`, h));
    norm("post_attention_layernorm", d);
    if (config.model_type === "gemma2") ["pre_feedforward_layernorm", "post_feedforward_layernorm"].forEach((name) => norm(name, d));
    if (config.model_type === "phi3") projection("mlp.gate_up_proj", 2 * f, d, false);
    else {
      projection("mlp.gate_proj", f, d, config.mlp_bias);
      projection("mlp.up_proj", f, d, config.mlp_bias);
    }
    projection("mlp.down_proj", d, f, config.mlp_bias);
  }
  shapes.push(["model.norm.weight", [d]]);
  if (!config.tie_word_embeddings) shapes.push(["lm_head.weight", [config.vocab_size, d]]);
  return shapes;
}

/** Matrices are `[in, out]`. */
function gpt2Shapes(config: HfConfig): [string, number[]][] {
  const d = config["n_embd"] as number;
  const f = (config["n_inner"] as number | undefined) ?? 4 * d;
  const shapes: [string, number[]][] = [["wte.weight", [config.vocab_size, d]], ["wpe.weight", [config["n_positions"] as number, d]]];
  const both = (name: string, weight: number[]) => shapes.push([`${name}.weight`, weight], [`${name}.bias`, weight.slice(-1)]);
  for (let layer = 0; layer < (config["n_layer"] as number); layer++) {
    both(`h.${layer}.ln_1`, [d]);
    both(`h.${layer}.attn.c_attn`, [d, 3 * d]);
    both(`h.${layer}.attn.c_proj`, [d, d]);
    both(`h.${layer}.ln_2`, [d]);
    both(`h.${layer}.mlp.c_fc`, [d, f]);
    both(`h.${layer}.mlp.c_proj`, [f, d]);
  }
  both("ln_f", [d]);
  return prefixed(config, shapes);
}

function bloomShapes(config: HfConfig): [string, number[]][] {
  const d = config.hidden_size;
  const shapes: [string, number[]][] = [["word_embeddings.weight", [config.vocab_size, d]]];
  const both = (name: string, weight: number[]) => shapes.push([`${name}.weight`, weight], [`${name}.bias`, [weight[0]!]]);
  both("word_embeddings_layernorm", [d]);
  for (let layer = 0; layer < (config["n_layer"] as number); layer++) {
    both(`h.${layer}.input_layernorm`, [d]);
    both(`h.${layer}.self_attention.query_key_value`, [3 * d, d]);
    both(`h.${layer}.self_attention.dense`, [d, d]);
    both(`h.${layer}.post_attention_layernorm`, [d]);
    both(`h.${layer}.mlp.dense_h_to_4h`, [4 * d, d]);
    both(`h.${layer}.mlp.dense_4h_to_h`, [d, 4 * d]);
  }
  both("ln_f", [d]);
  return prefixed(config, shapes);
}

function prefixed(config: HfConfig, shapes: [string, number[]][]): [string, number[]][] {
  const prefix = (config["tensor_prefix"] as string | undefined) ?? "";
  return shapes.map(([name, shape]) => [prefix + name, shape]);
}
