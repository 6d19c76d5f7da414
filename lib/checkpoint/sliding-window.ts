import type { Fields } from "./fields.js";
import type { ModelConfig } from "./types.js";

/** How far back attention looks, and where it looks at everything. */
export type Windows = Pick<ModelConfig, "slidingWindow" | "fullLayers">;

export const noWindow: Windows = { slidingWindow: null, fullLayers: [] };

/** How far back a layer's attention looks; null: no limit. */
export const layerWindow = ({ slidingWindow, fullLayers }: Windows, layer: number): number | null =>
  fullLayers.includes(layer) ? null : slidingWindow;

/** Where a family's config has its window. */
export interface WindowOptions {
  /** The window where the field is absent; default: none. */
  readonly fallback?: number;
  /** Whether there is a window at all, whatever its field says; default true. */
  readonly on?: boolean;
  /** Blocks that have it where `layer_types` is absent; default: all. */
  readonly slides?: (layer: number) => boolean;
}

/**
 * The windows of a model, from `sliding_window` and, where it is there, `layer_types`.
 * @throws on layer types that are not known, or that want a window where there is none
 */
export function parseWindows(fields: Fields, layers: number, { fallback, on = true, slides = () => true }: WindowOptions = {}): Windows {
  const field = "sliding_window";
  const none = !on || fields.isNull(field) || (!fields.has(field) && fallback === undefined);
  const kinds = layerKinds(fields, layers);
  if (none) {
    if (kinds?.includes("sliding_attention")) throw fields.error("layer_types", on ? `sliding_attention needs ${field}` : "sliding_attention, where the config turns windows off");
    return noWindow;
  }
  const window = fields.integer(field, 1, fallback);
  const fullLayers = Array.from({ length: layers }, (_, layer) => layer).filter((layer) => (kinds ? kinds[layer] === "full_attention" : !slides(layer)));
  return fullLayers.length === layers ? noWindow : { slidingWindow: window, fullLayers };
}

/**
 * For families with one window for all blocks, or none, whatever `layer_types` says.
 * @throws where it says otherwise
 */
export function parseOneWindow(fields: Fields, layers: number): Windows {
  const slidingWindow = fields.has("sliding_window") ? fields.integer("sliding_window") : null;
  const right = slidingWindow === null ? "full_attention" : "sliding_attention";
  if (layerKinds(fields, layers)?.some((kind) => kind !== right)) throw fields.error("layer_types", `supported for this family with sliding_window ${slidingWindow}: ${right}`);
  return { slidingWindow, fullLayers: [] };
}

/** Every n-th block, from block n - 1 on, has no window. */
export const everyNthFull = (n: number) => (layer: number): boolean => (layer + 1) % n !== 0;

/** For families whose blocks all look at everything. @throws where `layer_types` says otherwise */
export function requireFull(fields: Fields, layers: number): void {
  if (layerKinds(fields, layers)?.includes("sliding_attention")) throw fields.error("layer_types", "supported for this family: full_attention");
}

/** `layer_types`, one for each block. */
export function layerKinds(fields: Fields, layers: number): readonly ("full_attention" | "sliding_attention")[] | undefined {
  const kinds = fields.raw("layer_types");
  if (kinds === undefined) return undefined;
  const right = `must be ${layers} of full_attention and sliding_attention, one for each layer`;
  if (!Array.isArray(kinds) || kinds.length !== layers) throw fields.error("layer_types", right);
  for (const kind of kinds) if (kind !== "full_attention" && kind !== "sliding_attention") throw fields.error("layer_types", right);
  return kinds as ("full_attention" | "sliding_attention")[];
}
