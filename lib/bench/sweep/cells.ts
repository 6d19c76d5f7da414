import type { KvDtype } from "../../checkpoint/kv-dtype.js";
import type { KvPolicy, Method, UserMethod } from "../../methods/method.js";
import { refuseEarly } from "../early.js";
import { type Group, groupCost } from "../group.js";
import { runFacts, type RunFacts } from "../metadata.js";
import { prompt } from "../prompt.js";
import { checkReach, type MeasureOptions, measureSettings, methodsOf } from "../settings.js";
import { openSubject } from "../subject.js";
import { anywhereOf, digest, type Identity, keyOf } from "./identity.js";

/** What is varied; the full cross product is measured. */
export interface SweepAxes {
  /** Default the embedded model. */
  readonly models?: readonly string[];
  /** Presets by name or one's own; measured in turn within a cell, with the baseline. Default baseline, keep09, keep08, keep07. */
  readonly configs?: readonly (string | UserMethod)[];
  /** Prompt lengths in tokens, ascending. Default 1024, 2048, 4096. */
  readonly lengths?: readonly number[];
  /** Default: the model's best alone. */
  readonly scorers?: readonly string[];
  /** Default: each preset's own alone. */
  readonly kvPolicies?: readonly KvPolicy[];
  /** Default: what the weights are stored in. */
  readonly dtypes?: readonly string[];
  /** Default fp32. */
  readonly kvDtypes?: readonly KvDtype[];
  readonly devices?: readonly string[];
  /** Default: one a physical core. */
  readonly threads?: readonly number[];
}

export interface CellOptions extends SweepAxes, Omit<MeasureOptions, "kvPolicy"> {
  readonly promptFile?: string;
  /** Of synthetic weights and random prompts; default 0. */
  readonly seed?: number;
  /** Measure peak memory too; default true. */
  readonly memory?: boolean;
  /** Cells that other machines measure: the device need not be here. Default false. */
  readonly elsewhere?: boolean;
  readonly onProgress?: (share: number, label: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** One point of the cross product without the presets, which are measured together. */
export interface Cell {
  /** SHA-256 over all that decides what is measured, hex: the same cell in another sweep has the same key. */
  readonly key: string;
  /** What it is on any machine, and SHA-256 of that: see `anywhereOf`. */
  readonly anywhere: Identity;
  readonly anywhereKey: string;
  /** As they were asked for; undefined: the default. */
  readonly threads: number | undefined;
  readonly dtype: string | undefined;
  readonly label: string;
  readonly group: Group;
  readonly facts: RunFacts;
  /** Presets that were asked for; the baseline is measured in any case. */
  readonly asked: readonly Method[];
  /** See `groupCost`. */
  readonly cost: number;
}

/**
 * The cells of a sweep, everything checked. Synthetic models are made here.
 * @throws on bad input: nothing has been measured then
 */
export async function cellsOf(options: CellOptions): Promise<Cell[]> {
  const { models = ["tiny"], configs = ["all"], lengths = [1024, 2048, 4096], scorers = [], kvPolicies = [], dtypes = [], kvDtypes = [], devices = ["cpu"], threads = [], seed = 0, memory = true, promptFile, elsewhere = false } = options;
  const settings = measureSettings(options);
  const presets = methodsOf(configs);
  const asked = presets.filter(({ name }) => name !== "baseline" || configs.some((config) => config === "all" || config === "baseline"));
  for (const [noun, values] of Object.entries({ model: models, scorer: scorers, "KV policy": kvPolicies, dtype: dtypes, "KV dtype": kvDtypes, device: devices, threads })) once(noun, values);
  if (models.length === 0 || devices.length === 0) throw new Error(`${models.length === 0 ? "models" : "devices"}: none (give at least one)`);
  await refuseEarly({ models, lengths, scorers, promptFile }, settings);
  const cells: Cell[] = [];
  for (const model of models) for (const dtype of orDefault(dtypes)) for (const kvDtype of orDefault(kvDtypes)) for (const device of devices) for (const count of orDefault(threads)) {
    const onProgress = (done: number, all: number) => options.onProgress?.(0, `${model}: weights, ${Math.floor((100 * done) / all)} %`);
    const base = { model, device, seed, elsewhere, onProgress, signal: options.signal, ...(dtype !== undefined && { dtype }), ...(kvDtype && { kvDtype }), ...(count !== undefined && { threads: count }) };
    let subject = await openSubject(base);
    checkReach(lengths, settings, subject.checkpoint.config.maxPositions);
    const text = await prompt(subject.checkpoint, lengths.at(-1)!, { file: promptFile, seed });
    const facts = await runFacts(subject, settings, text);
    for (const scorer of orDefault(scorers)) {
      if (scorer !== undefined) subject = await openSubject({ ...base, scorer });
      for (const kvPolicy of orDefault(kvPolicies)) {
        measureSettings({ ...options, ...(kvPolicy && { kvPolicy }) });
        for (const length of lengths) {
          const group: Group = { ...settings, subject, presets, scorer, kvPolicy, memory, ids: text.ids.slice(0, length) };
          const anywhere = anywhereOf(group, facts, count);
          cells.push({ key: keyOf(group, facts), anywhere, anywhereKey: digest(anywhere), threads: count, dtype, label: labelOf(group), group, facts: { ...facts, subject }, asked, cost: groupCost(group) });
        }
      }
    }
  }
  const twice = cells.find(({ key }, index) => cells.findIndex((other) => other.key === key) !== index);
  if (twice) throw new Error(`cell: ${twice.label} (is there twice: two of the values given come to the same here)`);
  return cells;
}

function once(noun: string, values: readonly unknown[]): void {
  if (!Array.isArray(values)) throw new Error(`${noun}: ${String(values)} (must be a list: what a sweep varies)`);
  const twice = values.find((value, index) => values.indexOf(value) !== index);
  if (twice !== undefined) throw new Error(`${noun}: ${String(twice)} (is given twice)`);
}

function orDefault<T>(values: readonly T[]): readonly (T | undefined)[] {
  return values.length > 0 ? values : [undefined];
}

function labelOf({ subject, scorer, kvPolicy, ids }: Group): string {
  const { checkpoint, device, dtype, kvDtype, threads } = subject;
  return [checkpoint.name, device, dtype, ...(kvDtype === "fp32" ? [] : [`KV ${kvDtype}`]), `${threads} threads`, scorer, kvPolicy, `${ids.length} tokens`].filter((part) => part !== undefined).join(", ");
}
