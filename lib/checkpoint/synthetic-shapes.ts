/**
 * Positions that every rotary model here has, whatever its published limit: none of its weights depends on them, and random weights
 * have learned no length. The longest that was published for one of these (Qwen2).
 */
const POSITIONS = 131_072;

/** config.json of the models that `synthetic:NAME` stands in for, as published but for its positions, without what the decoder does not read. */
export const syntheticShapes: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  // Qwen/Qwen2-7B
  "qwen2-7b": {
    model_type: "qwen2", hidden_act: "silu", hidden_size: 3584, intermediate_size: 18944, num_hidden_layers: 28,
    num_attention_heads: 28, num_key_value_heads: 4, vocab_size: 152064, max_position_embeddings: POSITIONS,
    rms_norm_eps: 1e-6, rope_theta: 1000000, use_sliding_window: false, sliding_window: 131072, max_window_layers: 28,
    tie_word_embeddings: false, initializer_range: 0.02, bos_token_id: 151643, eos_token_id: 151643,
  },
  // mistralai/Mistral-7B-Instruct-v0.2: no sliding window, unlike v0.1
  "mistral-7b": {
    model_type: "mistral", hidden_act: "silu", hidden_size: 4096, intermediate_size: 14336, num_hidden_layers: 32,
    num_attention_heads: 32, num_key_value_heads: 8, vocab_size: 32000, max_position_embeddings: POSITIONS,
    rms_norm_eps: 1e-5, rope_theta: 1000000, sliding_window: null,
    tie_word_embeddings: false, initializer_range: 0.02, bos_token_id: 1, eos_token_id: 2,
  },
  // meta-llama/Llama-2-7b-hf
  "llama2-7b": {
    model_type: "llama", hidden_act: "silu", hidden_size: 4096, intermediate_size: 11008, num_hidden_layers: 32,
    num_attention_heads: 32, num_key_value_heads: 32, vocab_size: 32000, max_position_embeddings: POSITIONS,
    rms_norm_eps: 1e-5, rope_scaling: null,
    tie_word_embeddings: false, initializer_range: 0.02, bos_token_id: 1, eos_token_id: 2,
  },
  // Qwen/Qwen2.5-0.5B
  "qwen2.5-0.5b": {
    model_type: "qwen2", hidden_act: "silu", hidden_size: 896, intermediate_size: 4864, num_hidden_layers: 24,
    num_attention_heads: 14, num_key_value_heads: 2, vocab_size: 151936, max_position_embeddings: POSITIONS,
    rms_norm_eps: 1e-6, rope_theta: 1000000, use_sliding_window: false, sliding_window: 32768, max_window_layers: 24,
    tie_word_embeddings: true, initializer_range: 0.02, bos_token_id: 151643, eos_token_id: 151643,
  },
  // TinyLlama/TinyLlama-1.1B-Chat-v1.0
  "tinyllama-1.1b": {
    model_type: "llama", hidden_act: "silu", hidden_size: 2048, intermediate_size: 5632, num_hidden_layers: 22,
    num_attention_heads: 32, num_key_value_heads: 4, vocab_size: 32000, max_position_embeddings: POSITIONS,
    rms_norm_eps: 1e-5, rope_theta: 10000, rope_scaling: null,
    tie_word_embeddings: false, initializer_range: 0.02, bos_token_id: 1, eos_token_id: 2,
  },
  // bigscience/bloom-7b1
  "bloom-7b1": {
    model_type: "bloom", hidden_size: 4096, n_layer: 30, n_head: 32, vocab_size: 250880, layer_norm_epsilon: 1e-5,
    apply_residual_connection_post_layernorm: false, initializer_range: 0.02, bos_token_id: 1, eos_token_id: 2,
  },
};
