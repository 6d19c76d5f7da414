import type { Fields } from "../fields.js";

export interface Heads {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

export interface HeadsOptions {
  /** Models from before grouped-query attention do not have num_key_value_heads. */
  readonly kvHeadsOptional?: boolean;
  readonly headDimRequired?: boolean;
}

/** Heads and their size, as llama's config.json and its like have them. */
export function parseHeads(fields: Fields, hiddenSize: number, { kvHeadsOptional = false, headDimRequired = false }: HeadsOptions = {}): Heads {
  const heads = fields.integer("num_attention_heads");
  const kvHeads = fields.integer("num_key_value_heads", 1, kvHeadsOptional ? heads : undefined);
  if (heads % kvHeads !== 0) throw fields.error("num_key_value_heads", `must divide num_attention_heads, ${heads}`);
  if (!fields.has("head_dim")) {
    if (headDimRequired) throw fields.error("head_dim", "must be an even integer >= 2");
    if (hiddenSize % heads !== 0) throw fields.error("hidden_size", `must be a multiple of num_attention_heads, ${heads}, or head_dim be given`);
  }
  const headDim = fields.integer("head_dim", 1, hiddenSize / heads);
  if (headDim % 2 !== 0) {
    const [field, right] = fields.has("head_dim")
      ? ["head_dim", "must be even: rotary positions turn pairs"]
      : ["hidden_size", `head_dim hidden_size / num_attention_heads = ${headDim} must be even: rotary positions turn pairs`];
    throw fields.error(field!, right!);
  }
  return { heads, kvHeads, headDim };
}
