import type { Fields } from "./fields.js";
import type { ModelConfig, Rope, RopeScaling } from "./types.js";

/** What a config says of rotary positions. */
export interface ParsedRope extends Pick<ModelConfig, "ropeTheta" | "ropeScaling" | "windowRope" | "rotaryDim"> {
  /** Positions that the frequencies serve. */
  readonly maxPositions: number;
}

/** Where a family's config differs from llama's. */
export interface RopeOptions {
  /** The base of the frequencies when a config names none; default 10000. */
  readonly theta?: number;
  /** Of blocks with a window: the base of their own frequencies, and the field that names it. The config then has a set for each kind of block. */
  readonly window?: { readonly theta: number; readonly field?: string };
  /** The family turns a share of each head, this one when a config names none; default: it turns whole heads. */
  readonly share?: number;
  /** Fields beside the set that name base and share; default `rope_theta`, `partial_rotary_factor`. */
  readonly fields?: { readonly theta: string; readonly share: string };
  /** Rope types that the family takes, with other names for them; default: all. */
  readonly kinds?: Readonly<Record<string, RopeKind>>;
  /** `original_max_position_embeddings` when it is not beside the set, whatever is in it; default: what is in the set. */
  readonly originalMaxPositions?: number;
}

const kinds = ["default", "linear", "dynamic", "yarn", "longrope", "llama3", "proportional", "mrope"] as const;
export type RopeKind = (typeof kinds)[number];

/** What a set may have in it: what is not known might change the numbers. */
const known = new Set([
  "rope_type", "type", "rope_theta", "partial_rotary_factor", "factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow", "mscale",
  "mscale_all_dim", "truncate", "short_factor", "long_factor", "low_freq_factor", "high_freq_factor", "mrope_section", "mrope_interleaved", "finetuned", "max_position_embeddings",
]);

/** The names that a config has for the two kinds of blocks. */
const [FULL, WINDOWED] = ["full_attention", "sliding_attention"] as const;

/**
 * Rotary settings as transformers 5 reads them, from either spelling: `rope_theta` beside `rope_scaling` {`rope_type` or `type`, …}, or
 * `rope_parameters` {`rope_theta`, `rope_type`, …}, which may have a set for each kind of block. Where both are there, `rope_scaling` counts.
 * `mrope` is read as for text, where its three positions are one.
 * @throws on a rope type, field or number that the family's blocks cannot be turned by
 */
export function parseRope(config: Fields, headDim: number, options: RopeOptions = {}): ParsedRope {
  const positions = config.integer("max_position_embeddings");
  const set = (fields: Fields, theta: number, inSets: boolean) => parseSet(fields, { config, headDim, positions, theta, inSets, options });
  if (!options.window) {
    const { theta, scaling, rotaryDim, maxPositions } = set(flatSet(config), thetaOf(config, options), false);
    return { ropeTheta: theta, ropeScaling: scaling, windowRope: null, rotaryDim, maxPositions };
  }
  // These families' files state the positions as their blocks without a window stretch them.
  const sets = layerSets(config);
  const full = set(sets.full, thetaOf(config, options), true);
  const { field, theta } = options.window;
  const windowed = set(sets.windowed, field === undefined ? theta : config.positive(field, theta), true);
  const same = JSON.stringify([full.theta, full.scaling]) === JSON.stringify([windowed.theta, windowed.scaling]);
  return { ropeTheta: full.theta, ropeScaling: full.scaling, windowRope: same ? null : { theta: windowed.theta, scaling: windowed.scaling }, rotaryDim: full.rotaryDim, maxPositions: positions };
}

const thetaOf = (config: Fields, { fields, theta = 10000 }: RopeOptions): number => config.positive(fields?.theta ?? "rope_theta", theta);

/** The one set of all blocks. */
function flatSet(config: Fields): Fields {
  const [old, current] = [config.object("rope_scaling"), config.object("rope_parameters")];
  const set = old && old.names.length > 0 ? old : (current ?? config.nothing("rope_parameters"));
  if (set.has(FULL) || set.has(WINDOWED)) throw config.error(set === old ? "rope_scaling" : "rope_parameters", "supported for this family: one set for all layers");
  return set;
}

/** The sets by kind of block; `rope_scaling` is of those without a window. */
function layerSets(config: Fields): { full: Fields; windowed: Fields } {
  const [old, current] = [config.object("rope_scaling"), config.object("rope_parameters")];
  const odd = current?.names.find((name) => name !== FULL && name !== WINDOWED);
  if (odd !== undefined) throw current!.error(odd, `supported for this family: ${FULL} and ${WINDOWED}, a set for each`);
  const none = config.nothing("rope_parameters");
  const full = current?.object(FULL) ?? none;
  // transformers lays it over a set that has a rope_type already, which counts before the older name.
  if (old?.has("type") && !old.has("rope_type") && old.raw("type") !== (full.raw("rope_type") ?? (current ? old.raw("type") : "default"))) {
    throw old.error("type", "supported for this family: rope_type");
  }
  return { full: old ? full.overlaid(old) : full, windowed: current?.object(WINDOWED) ?? none };
}

interface SetContext {
  readonly config: Fields;
  readonly headDim: number;
  /** `max_position_embeddings` */
  readonly positions: number;
  /** The base where the set names none. */
  readonly theta: number;
  /** The set is one of several. */
  readonly inSets: boolean;
  readonly options: RopeOptions;
}

function parseSet(set: Fields, context: SetContext): Rope & Pick<ParsedRope, "rotaryDim" | "maxPositions"> {
  const odd = set.names.find((name) => !known.has(name));
  if (odd !== undefined) throw set.error(odd, "not known in rotary settings: it might change them");
  const theta = set.positive("rope_theta", context.theta);
  const kind = kindOf(set, context.options);
  const share = shareOf(set, kind, context);
  const rotaryDim = kind === "proportional" ? context.headDim : turned(set, share, context);
  const scaling = parseScaling(set, kind, share, rotaryDim, context);
  return { theta, scaling, rotaryDim, maxPositions: Math.floor(stretched(scaling, context.positions)) };
}

function kindOf(set: Fields, { kinds: own }: RopeOptions): RopeKind {
  const field = set.has("rope_type") || !set.has("type") ? "rope_type" : "type";
  const name = set.choice(field, own ? Object.keys(own) : kinds, set.has("factor") ? undefined : "default");
  return own?.[name] ?? (name as RopeKind);
}

/** @throws where a family that turns whole heads is to turn a share of them */
function shareOf(set: Fields, kind: RopeKind, { config, options: { share, fields } }: SetContext): number {
  const beside = fields?.share ?? "partial_rotary_factor";
  const [holder, field] = set.has("partial_rotary_factor") ? [set, "partial_rotary_factor"] : [config, beside];
  const value = holder.positive(field, share ?? 1);
  if (value > 1) throw holder.error(field, "must be a share of the head, <= 1");
  if (value !== 1 && share === undefined && kind !== "proportional") throw holder.error(field, "supported for this family: 1, rotary over the whole head");
  return value;
}

function turned(set: Fields, share: number, { config, headDim, options }: SetContext): number {
  const elements = Math.trunc(headDim * share);
  if (elements >= 2 && elements % 2 === 0) return elements;
  const holder = set.has("partial_rotary_factor") ? set : config;
  throw holder.error(holder === set ? "partial_rotary_factor" : (options.fields?.share ?? "partial_rotary_factor"), `${elements} of a head's ${headDim} elements: must be an even number, rotary positions turn pairs`);
}

function parseScaling(set: Fields, kind: RopeKind, share: number, rotaryDim: number, context: SetContext): RopeScaling | null {
  switch (kind) {
    case "default": case "mrope": return null;
    case "linear": return { kind, factor: factorOf(set) };
    case "dynamic":
      if (rotaryDim < 4) throw set.error("rope_type", "dynamic takes at least 4 elements that turn");
      return { kind, factor: factorOf(set), originalMaxPositions: context.positions };
    case "proportional": {
      const factor = factorOf(set, 1);
      return share === 1 && factor === 1 ? null : { kind, factor, share };
    }
    case "llama3": {
      const lowFreqFactor = set.positive("low_freq_factor");
      const highFreqFactor = set.positive("high_freq_factor");
      if (highFreqFactor <= lowFreqFactor) throw set.error("high_freq_factor", `must be > low_freq_factor, ${lowFreqFactor}`);
      return { kind, factor: factorOf(set), lowFreqFactor, highFreqFactor, originalMaxPositions: originalOf(set, context) };
    }
    case "yarn": return yarn(set, context);
    case "longrope": {
      const originalMaxPositions = originalOf(set, context);
      const [shortFactors, longFactors] = (["short_factor", "long_factor"] as const).map((field) => set.positives(field, rotaryDim / 2)) as [number[], number[]];
      const factor = set.positive("factor", context.positions / originalMaxPositions);
      if (originalMaxPositions === 1 && !set.has("attention_factor")) throw set.error("original_max_position_embeddings", "must be > 1, or attention_factor be given");
      const usual = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalMaxPositions));
      return { kind, shortFactors, longFactors, originalMaxPositions, attentionFactor: set.positive("attention_factor", usual) };
    }
  }
}

function yarn(set: Fields, context: SetContext): RopeScaling {
  const originalMaxPositions = originalOf(set, context);
  const factor = set.isNull("factor") ? context.positions / originalMaxPositions : factorOf(set);
  const magnitude = (weight = 1) => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);
  // Zero means the same as nothing.
  const given = (field: string) => (set.raw(field) === 0 ? undefined : set.has(field) ? set.positive(field) : undefined);
  const [mscale, mscaleAll] = [given("mscale"), given("mscale_all_dim")];
  const usual = mscale !== undefined && mscaleAll !== undefined ? magnitude(mscale) / magnitude(mscaleAll) : magnitude();
  const truncate = set.boolean("truncate", true);
  // transformers looks for it beside the sets, where there are several, and does not find it.
  if (context.inSets && !truncate) throw set.error("truncate", "supported in one of several sets: true");
  const [betaFast, betaSlow] = [given("beta_fast") ?? 32, given("beta_slow") ?? 1];
  if (betaFast < betaSlow) throw set.error("beta_fast", `must be >= beta_slow, ${betaSlow}`);
  return { kind: "yarn", factor, betaFast, betaSlow, truncate, originalMaxPositions, attentionFactor: set.positive("attention_factor", usual) };
}

function factorOf(set: Fields, fallback?: number): number {
  const factor = set.positive("factor", fallback);
  if (factor < 1) throw set.error("factor", "must be >= 1");
  return factor;
}

/** The length that the model was first made for. Beside a set it counts before what is in it. */
function originalOf(set: Fields, { config, positions, inSets, options }: SetContext): number {
  const field = "original_max_position_embeddings";
  if (!inSets && config.has(field)) return config.integer(field);
  return (!inSets ? options.originalMaxPositions : undefined) ?? set.integer(field, 1, positions);
}

/**
 * Positions that scaled frequencies serve (vLLM reads configs the same way): some types stretch the positions that the config states, with the
 * others it states the stretched ones.
 */
function stretched(scaling: RopeScaling | null, positions: number): number {
  switch (scaling?.kind) {
    case "linear": case "dynamic": case "proportional": return positions * scaling.factor;
    case "yarn": return Math.max(positions, scaling.originalMaxPositions * scaling.factor);
    default: return positions;
  }
}
