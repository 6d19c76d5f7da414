import { resolveMethod } from "../../methods/resolve.js";
import { methodText } from "./command.js";
import type { SweepOptions } from "./sweep.js";

/**
 * The words of `sdtp sweep` that say what these options do.
 * @throws on what no command line can say: a method that was made in a cell, a name that is no option
 */
export function sweepWords(options: SweepOptions): string[] {
  const { models, configs, lengths, scorers, kvPolicies, dtypes, kvDtypes, devices, threads, mode, repeats, warmup, maxNewTokens, promptFile, seed, memory, folder, placements, maxMinutes, timeoutSeconds, retryFailed, ...others } = options;
  const unknown = Object.entries(others).find(([, value]) => value !== undefined);
  if (unknown) throw new Error(`${unknown[0]}: ${String(unknown[1])} (is nothing that a sweep without this notebook can be given)`);
  const names = configs?.map((config) => {
    if (typeof config === "string") return config;
    const text = methodText(resolveMethod(config));
    if (text === null) throw new Error(`config: ${config.name} (was made in a cell: a sweep without this notebook takes presets by their names)`);
    return text;
  });
  const list = (name: string, values: readonly (string | number)[] | undefined) => (values === undefined || values.length === 0 ? [] : [`--${name}`, ...values.map(String)]);
  const one = (name: string, value: string | number | undefined) => (value === undefined ? [] : [`--${name}`, String(value)]);
  return [
    ...list("model", models), ...list("config", names), ...list("lengths", lengths), ...list("scorer", scorers), ...list("kv-policy", kvPolicies), ...list("dtype", dtypes), ...list("kv-dtype", kvDtypes),
    ...list("device", devices), ...list("threads", threads), ...list("devices", placements), ...one("benchmark-mode", mode), ...one("repeats", repeats), ...one("warmup", warmup), ...one("max-new-tokens", maxNewTokens),
    ...one("prompt-file", promptFile), ...one("seed", seed), ...(memory === false ? ["--no-memory"] : []), ...one("folder", folder), ...one("max-minutes", maxMinutes), ...one("timeout", timeoutSeconds), ...(retryFailed ? ["--retry-failed"] : []),
  ];
}
