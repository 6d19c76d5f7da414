/** What the cache keeps of pruned tokens after prefill: see `Preset.kvPolicy`. */
export type KvPolicy = "evict" | "retain";

/** One pruning stage, stated for a model of `baseDepth` blocks. */
export interface PresetStage {
  /** The stage stands after this block, counted from 0. */
  readonly afterBlock: number;
  /** Share of the tokens present at this stage that stay, in (0, 1]. */
  readonly ratio: number;
}

/** A pruning configuration, independent of prompt length and model depth. */
export interface Preset {
  /** Name in commands, tables and file names. */
  readonly name: string;
  /** Stages in ascending order of `afterBlock`; none: no pruning. */
  readonly stages: readonly PresetStage[];
  /** Number of blocks the stages are stated for; other depths are scaled (see `stagePositions`). */
  readonly baseDepth: number;
  /** `evict`: what was pruned at the end leaves every layer's cache; `retain`: each layer keeps what it computed. */
  readonly kvPolicy: KvPolicy;
}

/** A preset as a user writes it. `name` defaults to "custom", `kvPolicy` to evict for one stage and retain for more. */
export interface UserPreset {
  readonly name?: string;
  readonly stages: readonly PresetStage[];
  readonly baseDepth: number;
  readonly kvPolicy?: KvPolicy;
}

/** The paper's depth (Mistral-7B, Llama-2-7B) and that of its Python implementation (Qwen2-7B). */
const PAPER_DEPTH = 32;
const CASCADE_DEPTH = 28;

function preset(name: string, baseDepth: number, afterBlocks: readonly number[], ratio: number): Preset {
  return freeze({
    name,
    stages: afterBlocks.map((afterBlock) => ({ afterBlock, ratio })),
    baseDepth,
    kvPolicy: defaultKvPolicy(afterBlocks.length),
  });
}

const cascade = (name: string, ratio: number) => preset(name, CASCADE_DEPTH, [4, 7, 10, 13, 16, 19, 22, 25], ratio);

/**
 * The shipped presets. `keep*`: one early stage (figure 4 of arXiv:2504.04514v2: best from about block 4 on).
 * `sdtp`: the paper's ten stages. `sdtp-low`: five stages; the paper gives the number, not the places.
 * `cascade*`: the Python implementation's eight stages, each keeping the ratio of what is present.
 */
export const presets = Object.freeze({
  baseline: preset("baseline", PAPER_DEPTH, [], 1),
  keep09: preset("keep09", PAPER_DEPTH, [4], 0.9),
  keep08: preset("keep08", PAPER_DEPTH, [4], 0.8),
  keep07: preset("keep07", PAPER_DEPTH, [4], 0.7),
  sdtp: preset("sdtp", PAPER_DEPTH, [4, 7, 10, 13, 16, 19, 22, 25, 28, 31], 0.9),
  "sdtp-low": preset("sdtp-low", PAPER_DEPTH, [4, 10, 16, 22, 28], 0.9),
  cascade09: cascade("cascade09", 0.9),
  cascade08: cascade("cascade08", 0.8),
  cascade07: cascade("cascade07", 0.7),
});

/** Names of the shipped presets. */
export type PresetName = keyof typeof presets;

/**
 * A preset by its name, or a user's own plain object made whole.
 *
 * @throws on an unknown name, a field that is missing or out of range, stages out of order, and a user's
 *   preset that takes a shipped name for other stages (its results would be filed under the wrong name).
 * @example
 * sdtp.resolvePreset("keep07").stages
 */
export function resolvePreset(p: string | UserPreset): Preset {
  if (typeof p === "string") return named(p);
  if (typeof p !== "object" || p === null) throw new Error(`preset: ${String(p)} (must be a name or an object)`);
  const name = p.name ?? "custom";
  if (typeof name !== "string" || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
    throw new Error(`preset name: ${JSON.stringify(name)} (must be letters, digits, ".", "_" and "-": it becomes part of file names)`);
  }
  const label = `preset ${name}`;
  const baseDepth = p.baseDepth;
  if (!isPositiveInteger(baseDepth)) throw new Error(`${label}, baseDepth: ${String(baseDepth)} (must be a positive integer, the number of blocks the stages are stated for)`);
  if (!Array.isArray(p.stages)) throw new Error(`${label}, stages: ${JSON.stringify(p.stages)} (must be an array of { afterBlock, ratio })`);
  const stages = p.stages.map((stage: unknown, index) => checkedStage(stage, `${label}, stage ${index}`, baseDepth));
  stages.forEach((stage, index) => {
    const before = stages[index - 1];
    if (before && before.afterBlock >= stage.afterBlock) {
      throw new Error(`${label}, stage ${index}, afterBlock: ${stage.afterBlock} (must come after the stage before it, after block ${before.afterBlock})`);
    }
  });
  const kvPolicy = p.kvPolicy ?? defaultKvPolicy(stages.length);
  if (kvPolicy !== "evict" && kvPolicy !== "retain") {
    throw new Error(`${label}, kvPolicy: ${String(kvPolicy)} (must be "evict" or "retain")`);
  }
  const shipped = lookup(name);
  if (shipped && (shipped.baseDepth !== baseDepth || JSON.stringify(shipped.stages) !== JSON.stringify(stages))) {
    throw new Error(`preset name: ${name} (is a shipped preset with other stages; choose another name)`);
  }
  return freeze({ name, stages, baseDepth, kvPolicy });
}

function named(name: string): Preset {
  const found = lookup(name);
  if (!found) throw new Error(`preset: ${name} (known: ${Object.keys(presets).join(", ")})`);
  return found;
}

function lookup(name: string): Preset | undefined {
  return Object.hasOwn(presets, name) ? presets[name as PresetName] : undefined;
}

function checkedStage(stage: unknown, label: string, baseDepth: number): PresetStage {
  if (typeof stage !== "object" || stage === null) throw new Error(`${label}: ${String(stage)} (must be { afterBlock, ratio })`);
  const { afterBlock, ratio } = stage as Record<string, unknown>;
  if (typeof afterBlock !== "number" || !Number.isInteger(afterBlock) || afterBlock < 0 || afterBlock >= baseDepth) {
    throw new Error(`${label}, afterBlock: ${String(afterBlock)} (must be an integer from 0 to ${baseDepth - 1})`);
  }
  if (typeof ratio !== "number" || !(ratio > 0 && ratio <= 1)) {
    throw new Error(`${label}, ratio: ${String(ratio)} (must be above 0 and at most 1)`);
  }
  return { afterBlock, ratio };
}

function defaultKvPolicy(stages: number): KvPolicy {
  return stages > 1 ? "retain" : "evict";
}

function isPositiveInteger(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

function freeze(p: Preset): Preset {
  p.stages.forEach((stage) => Object.freeze(stage));
  Object.freeze(p.stages);
  return Object.freeze(p);
}
