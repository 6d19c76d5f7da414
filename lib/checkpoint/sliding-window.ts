import type { Fields } from "./fields.js";
import type { Family } from "./types.js";

/**
 * How many positions back attention looks, the same in every block; null: no limit.
 * mistral: `sliding_window`, null for none; transformers takes 4096 where the field is absent, so this does.
 * qwen2, qwen3: only with `use_sliding_window`, and then in the blocks that `layer_types` names or, without it,
 * those from `max_window_layers` on.
 * @throws where only some of the blocks would have a window
 */
export function parseSlidingWindow(fields: Fields, family: Family, layers: number): number | null {
  if (family === "llama") return null;
  if (family === "mistral") {
    if (fields.isNull("sliding_window")) return null;
    return fields.integer("sliding_window", 1, 4096);
  }
  if (!fields.boolean("use_sliding_window", false)) return null;
  const kinds = fields.raw("layer_types");
  if (Array.isArray(kinds)) return fromLayerTypes(fields, kinds);
  // transformers' own default, 28, is what a config without the field means.
  const fullLayers = fields.integer("max_window_layers", 0, 28);
  if (fullLayers >= layers) return null;
  if (fullLayers > 0) {
    throw fields.error("max_window_layers", `supported with use_sliding_window: 0 or >= num_hidden_layers, ${layers}: one window for all blocks`);
  }
  return fields.integer("sliding_window");
}

function fromLayerTypes(fields: Fields, kinds: readonly unknown[]): number | null {
  if (kinds.every((kind) => kind === "full_attention")) return null;
  if (kinds.every((kind) => kind === "sliding_attention")) return fields.integer("sliding_window");
  throw fields.error("layer_types", "supported: all full_attention or all sliding_attention");
}
