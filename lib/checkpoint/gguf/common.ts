import type { Metadata } from "./metadata.js";

/**
 * What all architectures call alike, as the fields of a config.json. Vocabulary, ties and token ids come from elsewhere in the file.
 * @param longrope the file has tensors with frequencies for short and long texts
 */
export function common(metadata: Metadata, { longrope = false } = {}): Record<string, unknown> {
  const heads = metadata.number("attention.head_count");
  const hidden = metadata.number("embedding_length");
  const headDim = metadata.number("attention.key_length") ?? (hidden ?? 0) / (heads ?? 1);
  metadata.must("attention.value_length", headDim);
  metadata.must("attention.causal", true);
  // None are as good as not mentioned.
  for (const name of ["expert_count", "expert_used_count"]) metadata.nothing(name, 0);
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
    ...rope(metadata, headDim, longrope),
  };
}

/** The experts of a model that has some, and how many of them a token goes to. @throws on another way of choosing them than by softmax */
export function experts(metadata: Metadata, { gating = 1 } = {}): { readonly count: number; readonly used: number; readonly size: number | undefined } {
  metadata.must("expert_gating_func", gating);
  metadata.must("expert_weights_scale", 1);
  return { count: metadata.number("expert_count") ?? 0, used: metadata.number("expert_used_count") ?? 0, size: metadata.number("expert_feed_forward_length") };
}

/**
 * How far back attention looks, as `sliding_window`, and in which blocks where the file says so, as `layer_types` or `sliding_window_pattern`.
 * `sliding_window` is null where that is no limit within the model's positions.
 * @param fallback the window where the file names none; default: none
 */
export function windows(metadata: Metadata, fallback = 0): { readonly sliding_window: number | null } {
  const pattern = metadata.raw("attention.sliding_window_pattern");
  const size = metadata.number("attention.sliding_window") ?? fallback;
  if (size === 0 || size >= (metadata.number("context_length") ?? 0)) return { sliding_window: null };
  if (pattern === undefined) return { sliding_window: size };
  if (typeof pattern === "number") return { sliding_window: size, ...{ sliding_window_pattern: pattern } };
  if (!Array.isArray(pattern) || !pattern.every((each) => typeof each === "boolean" || each === 0 || each === 1)) throw metadata.error("attention.sliding_window_pattern", "must be a number, or true or false for each block");
  return { sliding_window: size, ...{ layer_types: pattern.map((slides) => (slides ? "sliding_attention" : "full_attention")) } };
}

/** Rotary settings; llama.cpp takes scaling as linear where no type is given, and by 1 where there is no factor. */
function rope(metadata: Metadata, headDim: number, longrope: boolean): Record<string, unknown> {
  const turned = metadata.number("rope.dimension_count");
  const factor = (metadata.number("rope.scaling.factor") ?? metadata.number("rope.scale_linear")) || 1;
  // Whether the model was trained with it does not change how it is run.
  metadata.raw("rope.scaling.finetuned");
  metadata.number("rope.scale_linear");
  const original = metadata.number("rope.scaling.original_context_length");
  return {
    rope_theta: metadata.number("rope.freq_base") ?? 10000,
    ...(turned !== undefined && turned !== 0 && turned !== headDim && { partial_rotary_factor: turned / headDim }),
    ...(original !== undefined && { original_max_position_embeddings: original }),
    rope_scaling: scaling(metadata, metadata.text("rope.scaling.type") ?? "linear", factor, { longrope, original }),
  };
}

function scaling(metadata: Metadata, type: string, factor: number, { longrope, original }: { longrope: boolean; original: number | undefined }): Record<string, unknown> | null {
  const attentionFactor = metadata.number("rope.scaling.attn_factor");
  if (longrope) {
    return { rope_type: "longrope", ...(attentionFactor !== undefined && { attention_factor: attentionFactor }) };
  }
  if (type === "none" || (type === "linear" && factor === 1)) return null;
  if (type !== "yarn") return { rope_type: type, factor };
  const usual = 0.1 * Math.log(factor) + 1;
  // Converters have written either; llama.cpp multiplies by what follows of the factor in any case.
  if (attentionFactor !== undefined && attentionFactor !== 1 && Math.abs(attentionFactor - usual) > 1e-4) throw metadata.error("rope.scaling.attn_factor", `supported with yarn by ${factor}: 1 or ${usual}`);
  metadata.must("rope.scaling.yarn_ext_factor", 1);
  metadata.must("rope.scaling.yarn_attn_factor", 1);
  const given = { original_max_position_embeddings: original, beta_fast: metadata.number("rope.scaling.yarn_beta_fast"), beta_slow: metadata.number("rope.scaling.yarn_beta_slow") };
  return { rope_type: type, factor, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) };
}
