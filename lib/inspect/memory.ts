import type { ModelConfig } from "../checkpoint/types.js";
import { kvTokenBytes, type KvDtype } from "../checkpoint/kv-dtype.js";
import type { KvPolicy, UserMethod } from "../methods/method.js";
import { planTokens } from "../methods/plan/plan.js";
import { resolveMethod } from "../methods/resolve.js";

/** Bytes of the cache right after prefill. */
export interface KvMemoryRow {
  readonly length: number;
  readonly preset: string;
  readonly kvPolicy: KvPolicy;
  readonly bytes: number;
  /** Share of the unpruned cache that is saved. */
  readonly reduction: number;
}

export interface KvMemoryOptions {
  /** Default: baseline, keep09, keep08, keep07, sdtp. */
  readonly presets?: readonly (string | UserMethod)[];
  /** Prompt lengths; default 1024 … 32768. */
  readonly lengths?: readonly number[];
  /** Default: each preset's own. */
  readonly kvPolicy?: KvPolicy;
  /** What keys and values are held in; default fp32. */
  readonly kvDtype?: KvDtype;
}

/**
 * The cache's bytes by prompt length and preset. The schedule alone decides them, so no model has to run: what a run's
 * cache then holds is exactly this (`run.kv.bytes`).
 */
export function kvMemory(config: Pick<ModelConfig, "layers" | "kvHeads" | "headDim">, options: KvMemoryOptions = {}): KvMemoryRow[] {
  const { presets = ["baseline", "keep09", "keep08", "keep07", "sdtp"], lengths = [1024, 2048, 4096, 8192, 16384, 32768] } = options;
  const tokenBytes = kvTokenBytes(config, options.kvDtype ?? "fp32");
  return lengths.flatMap((length) =>
    presets.map((given): KvMemoryRow => {
      const preset = resolveMethod(given);
      const { kvPolicy, kvLengths } = planTokens(preset, length, config.layers, options.kvPolicy);
      const tokens = kvLengths.reduce((a, b) => a + b, 0);
      return { length, preset: preset.name, kvPolicy, bytes: tokens * tokenBytes, reduction: 1 - tokens / (length * config.layers) };
    }),
  );
}
