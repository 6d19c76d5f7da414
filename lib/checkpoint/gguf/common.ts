import type { Metadata } from "./metadata.js";

/** What all architectures call alike, as the fields of a config.json. Vocabulary, ties and token ids come from elsewhere in the file. */
export function common(metadata: Metadata): Record<string, unknown> {
  const heads = metadata.number("attention.head_count");
  const hidden = metadata.number("embedding_length");
  const headDim = metadata.number("attention.key_length") ?? (hidden ?? 0) / (heads ?? 1);
  metadata.must("attention.value_length", headDim);
  metadata.must("attention.causal", true);
  metadata.must("expert_count", 0);
  metadata.must("expert_used_count", 0);
  // Where the tensors' rows come from: nothing follows of it.
  metadata.raw("tensor_data_layout");
  return {
    hidden_size: hidden,
    num_hidden_layers: metadata.number("block_count"),
    num_attention_heads: heads,
    num_key_value_heads: metadata.number("attention.head_count_kv") ?? heads,
    head_dim: headDim,
    intermediate_size: metadata.number("feed_forward_length"),
    max_position_embeddings: metadata.number("context_length"),
    rms_norm_eps: metadata.number("attention.layer_norm_rms_epsilon"),
    ...rope(metadata, headDim),
  };
}

/** How far back attention looks; null where that is no limit within the model's positions. */
export function window(metadata: Metadata): number | null {
  const size = metadata.number("attention.sliding_window");
  return size === undefined || size === 0 || size >= (metadata.number("context_length") ?? 0) ? null : size;
}

/** Rotary settings; llama.cpp takes scaling as linear where no type is given, and by 1 where there is no factor. */
function rope(metadata: Metadata, headDim: number): Record<string, unknown> {
  const turned = metadata.number("rope.dimension_count");
  const type = metadata.text("rope.scaling.type") ?? "linear";
  const factor = (metadata.number("rope.scaling.factor") ?? metadata.number("rope.scale_linear")) || 1;
  metadata.number("rope.scale_linear");
  // Whether the model was trained with it does not change how it is run.
  metadata.raw("rope.scaling.finetuned");
  return {
    rope_theta: metadata.number("rope.freq_base") ?? 10000,
    ...(turned !== undefined && turned !== 0 && turned !== headDim && { partial_rotary_factor: turned / headDim }),
    rope_scaling: type === "none" || (type === "linear" && factor === 1) ? null : { type, factor, ...(type === "yarn" && yarn(metadata)) },
  };
}

function yarn(metadata: Metadata): Record<string, unknown> {
  const given = {
    original_max_position_embeddings: metadata.number("rope.scaling.original_context_length"),
    beta_fast: metadata.number("rope.scaling.yarn_beta_fast"),
    beta_slow: metadata.number("rope.scaling.yarn_beta_slow"),
  };
  metadata.must("rope.scaling.yarn_ext_factor", 1);
  metadata.must("rope.scaling.yarn_attn_factor", 1);
  metadata.must("rope.scaling.attn_factor", 1);
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
