import type { Fields } from "./fields.js";
import type { RopeScaling } from "./types.js";

const ropeKinds = ["default", "linear", "llama3"] as const;

/** The base of the frequencies when a config names none, in all supported families. */
const defaultTheta = 10000;

/**
 * Rotary settings from either layout: `rope_theta` with `rope_scaling` {`type` or `rope_type`, …},
 * or `rope_parameters` {`rope_theta`, `rope_type`, …} (transformers 5).
 * @throws on a rope type other than default, linear and llama3, and on impossible numbers
 */
export function parseRope(config: Fields): { theta: number; scaling: RopeScaling | null } {
  const parameters = config.object("rope_parameters");
  const scaling = parameters ?? config.object("rope_scaling");
  if (parameters?.hasObjects()) throw config.error("rope_parameters", "supported: one set for all layers");
  const theta = (parameters?.has("rope_theta") ? parameters : config).positive("rope_theta", defaultTheta);
  for (const fields of [config, scaling]) {
    if (fields?.has("partial_rotary_factor") && fields.raw("partial_rotary_factor") !== 1) {
      throw fields.error("partial_rotary_factor", "supported: 1, rotary over the whole head");
    }
  }
  return { theta, scaling: scaling ? parseScaling(scaling) : null };
}

function parseScaling(fields: Fields): RopeScaling | null {
  const field = fields.has("rope_type") || !fields.has("type") ? "rope_type" : "type";
  const kind = fields.choice(field, ropeKinds, fields.has("factor") ? undefined : "default");
  if (kind === "default") return null;
  const factor = fields.positive("factor");
  if (factor < 1) throw fields.error("factor", "must be >= 1");
  if (kind === "linear") return { kind, factor };
  const lowFreqFactor = fields.positive("low_freq_factor");
  const highFreqFactor = fields.positive("high_freq_factor");
  if (highFreqFactor <= lowFreqFactor) throw fields.error("high_freq_factor", `must be > low_freq_factor, ${lowFreqFactor}`);
  return {
    kind, factor, lowFreqFactor, highFreqFactor,
    originalMaxPositions: fields.integer("original_max_position_embeddings"),
  };
}
