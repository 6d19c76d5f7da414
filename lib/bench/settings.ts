import type { KvPolicy, Method, UserMethod } from "../methods/method.js";
import { resolveMethod } from "../methods/resolve.js";
import { checkLengths } from "./lengths.js";
import type { BenchmarkMode } from "./record.js";

/** What `--config all` stands for: the configurations of the seed's workflow. */
export const seedConfigs = ["baseline", "keep09", "keep08", "keep07"] as const;

export const defaultLengths = [1024, 2048, 4096, 8192, 16384, 32768] as const;

export interface MeasureOptions {
  /** `end2end` (default): prefill and `maxNewTokens` decode runs; `prefill`: prefill alone. */
  readonly mode?: BenchmarkMode;
  /** Runs that count; default 5. */
  readonly repeats?: number;
  /** Runs before them that do not; default 1. */
  readonly warmup?: number;
  /** Default 128. */
  readonly maxNewTokens?: number;
  /** Default: the preset's. */
  readonly kvPolicy?: KvPolicy;
}

export type MeasureSettings = Required<Omit<MeasureOptions, "kvPolicy">>;

/** @throws on numbers out of range */
export function measureSettings({ mode = "end2end", repeats = 5, warmup = 1, maxNewTokens = 128, kvPolicy }: MeasureOptions): MeasureSettings {
  const integer = (noun: string, value: number, least: number) => {
    if (!Number.isSafeInteger(value) || value < least) throw new Error(`${noun}: ${value} (must be an integer of ${least} or more)`);
  };
  if (mode !== "end2end" && mode !== "prefill") throw new Error(`benchmark mode: ${String(mode)} (must be prefill or end2end)`);
  integer("repeats", repeats, 1);
  integer("warmup", warmup, 0);
  integer("max new tokens", maxNewTokens, 1);
  if (kvPolicy !== undefined && kvPolicy !== "evict" && kvPolicy !== "retain") throw new Error(`KV policy: ${String(kvPolicy)} (must be evict or retain)`);
  return { mode, repeats, warmup, maxNewTokens };
}

/**
 * The presets to measure, the baseline first: it is always measured with what is compared with it.
 * @throws on an unknown or twice given configuration
 */
export function methodsOf(configs: readonly (string | UserMethod)[]): Method[] {
  if (configs.length === 0) throw new Error("configs: none (give at least one preset)");
  const asked = configs.flatMap((config) => (config === "all" ? [...seedConfigs] : [config])).map((config) => resolveMethod(config));
  asked.forEach(({ name }, index) => {
    if (asked.findIndex((other) => other.name === name) !== index) throw new Error(`config: ${name} (is given twice)`);
  });
  return [resolveMethod("baseline"), ...asked.filter(({ name }) => name !== "baseline")];
}

/** @throws on lengths out of order or range, and where prompt and new tokens go beyond the model's positions */
export function checkReach(lengths: readonly number[], { mode, maxNewTokens }: Pick<MeasureSettings, "mode" | "maxNewTokens">, maxPositions: number): void {
  checkLengths(lengths);
  const newTokens = mode === "end2end" ? maxNewTokens : 0;
  const beyond = lengths.find((length) => length + newTokens > maxPositions);
  if (beyond !== undefined) throw new Error(`length: ${beyond} (${newTokens > 0 ? `with ${newTokens} new tokens ` : ""}is beyond the model's ${maxPositions} positions)`);
}
