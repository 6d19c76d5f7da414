import { resolvePreset, type KvPolicy, type Preset } from "../methods/method.js";

/** What is compared: a preset, a scorer and a cache policy. */
export interface Configuration {
  readonly preset: Preset;
  /** As it was asked for (`learned:FILE`, `random:3`); null where nothing prunes. */
  readonly scorer: string | null;
  readonly kvPolicy: KvPolicy;
}

export interface ConfigurationChoices {
  /** Preset names, or `all`. The baseline is always among the results: it is what the others are compared with. */
  readonly presets: readonly string[];
  readonly scorers: readonly string[];
  /** Default: each preset's own. */
  readonly kvPolicies?: readonly KvPolicy[];
}

/** Every combination once, the baseline first and alone. @throws on an unknown preset */
export function configurations({ presets, scorers, kvPolicies }: ConfigurationChoices): Configuration[] {
  const baseline = resolvePreset("baseline");
  const found: Configuration[] = [{ preset: baseline, scorer: null, kvPolicy: baseline.kvPolicy }];
  for (const name of new Set(presets)) {
    const preset = resolvePreset(name);
    if (preset.stages.length === 0) continue;
    for (const scorer of new Set(scorers)) for (const kvPolicy of new Set(kvPolicies ?? [preset.kvPolicy])) found.push({ preset, scorer, kvPolicy });
  }
  return found;
}

/** `sdtp learned retain`, `baseline`. */
export function configurationLabel({ config, scorer, kv_policy }: { config: string; scorer: string | null; kv_policy: string }): string {
  return scorer === null ? config : `${config} ${scorer} ${kv_policy}`;
}
