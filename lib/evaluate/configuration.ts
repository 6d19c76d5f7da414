import type { KvPolicy, Method } from "../methods/method.js";
import { resolveMethod } from "../methods/resolve.js";

/** What is compared: a preset, a scorer and a cache policy. */
export interface Configuration {
  readonly preset: Method;
  /** As it was asked for (`learned:FILE`, `random:3`); null: the method's own, or no stage prunes. */
  readonly scorer: string | null;
  readonly kvPolicy: KvPolicy;
}

export interface ConfigurationChoices {
  /** Method names, or `all`. The baseline is always among the results: it is what the others are compared with. */
  readonly presets: readonly string[];
  readonly scorers: readonly string[];
  /** Default: each preset's own. */
  readonly kvPolicies?: readonly KvPolicy[];
}

/** Every combination once, the baseline first and alone. @throws on an unknown preset */
export function configurations({ presets, scorers, kvPolicies }: ConfigurationChoices): Configuration[] {
  const baseline = resolveMethod("baseline");
  const found: Configuration[] = [{ preset: baseline, scorer: null, kvPolicy: baseline.kvPolicy }];
  for (const name of new Set(presets)) {
    const preset = resolveMethod(name);
    if (preset.stages.length === 0 || preset.scorer !== undefined) {
      // What cuts down caches alone, and what has a scorer of its own, is compared as it is defined.
      if (preset.cache || preset.stages.length > 0) found.push({ preset, scorer: null, kvPolicy: preset.kvPolicy });
      continue;
    }
    const own = [...new Set(scorers)].filter((scorer) => scorer.startsWith("speculator:") === (preset.speculation !== undefined));
    if (own.length === 0 && scorers.length > 0) throw new Error(`preset ${name}: scorer ${scorers.join(", ")} (${preset.speculation ? "another model chooses: give speculator:MODEL too" : "speculators are for the method specprefill alone: give another too"})`);
    for (const scorer of own) for (const kvPolicy of new Set(kvPolicies ?? [preset.kvPolicy])) found.push({ preset, scorer, kvPolicy });
  }
  return found;
}

/** What tells configurations of rows apart. */
type Labelled = { config: string; scorer: string | null; kv_policy: string };

/** `sdtp learned retain`, `baseline`; a scorer's file by its own name and its folder's. */
export function configurationLabel({ config, scorer, kv_policy }: Labelled, whole = false): string {
  if (scorer === null) return config;
  const [kind, file] = [scorer.split(":", 1)[0]!, scorer.slice(scorer.indexOf(":") + 1)];
  const short = !whole && /[\\/]/.test(file) && scorer.includes(":") ? `${kind}:${file.split(/[\\/]/).slice(-2).join("/").replace(/\.safetensors$/, "")}` : scorer;
  return `${config} ${short} ${kv_policy}`;
}

/** Gives every row its configuration's label: the short one, unless others would have the same. */
export function labeller(rows: readonly Labelled[]): (row: Labelled) => string {
  const named = new Map<string, Set<string>>();
  for (const row of rows) named.set(configurationLabel(row), (named.get(configurationLabel(row)) ?? new Set()).add(configurationLabel(row, true)));
  return (row) => configurationLabel(row, (named.get(configurationLabel(row))?.size ?? 0) > 1);
}
