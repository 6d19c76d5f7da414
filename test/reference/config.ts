/** The fields of a Hugging Face config.json that the reference pass reads. */
export interface HfConfig {
  model_type: "llama" | "mistral" | "qwen2" | "qwen3" | "phi3" | "gemma" | "gemma2" | "gpt2" | "bloom";
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  num_key_value_heads?: number;
  head_dim?: number | null;
  vocab_size: number;
  rms_norm_eps: number;
  max_position_embeddings: number;
  rope_theta?: number;
  rope_scaling?: HfRope | null;
  rope_parameters?: HfRope | null;
  sliding_window?: number | null;
  use_sliding_window?: boolean;
  attention_bias?: boolean;
  mlp_bias?: boolean;
  tie_word_embeddings?: boolean;
  [field: string]: unknown;
}

/** Rotary settings: `rope_scaling` of older files, `rope_parameters` of newer ones (which holds the base too). */
export interface HfRope {
  rope_type?: string;
  type?: string;
  rope_theta?: number;
  factor?: number;
  low_freq_factor?: number;
  high_freq_factor?: number;
  original_max_position_embeddings?: number;
}

export const kvHeadsOf = (config: HfConfig) => config.num_key_value_heads ?? config.num_attention_heads;
export const headDimOf = (config: HfConfig) => config.head_dim ?? config.hidden_size / config.num_attention_heads;

/** gpt2 and bloom call it otherwise. */
export const layersOf = (config: HfConfig) => (config["n_layer"] as number | undefined) ?? config.num_hidden_layers;

/** Positions a query of a block may look back on, itself included; infinite where there is no window. */
export function windowOf(config: HfConfig, layer = 0): number {
  const switchedOff = config.model_type.startsWith("qwen") && !config.use_sliding_window;
  const never = ["llama", "gemma", "gpt2", "bloom"].includes(config.model_type);
  const notHere = config.model_type === "gemma2" && layer % 2 === 1;
  return never || switchedOff || notHere ? Infinity : (config.sliding_window ?? Infinity);
}
