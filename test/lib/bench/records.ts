// Results as a run would write them, for tests of what reads them.
import { endToEndEntry, endToEndMeasurement, prefillEntry, prefillMeasurement } from "../../../lib/bench/measurement.js";
import type { EndToEndResults, Metadata, PrefillResults } from "../../../lib/bench/results.js";

export const metadataOf = (config: string, fields: Partial<Metadata> = {}): Metadata => ({
  benchmark_mode: "end2end",
  config,
  model: "tiny",
  synthetic_weights: false,
  dtype: "fp32",
  device: "cpu",
  threads: 2,
  scorer: config === "baseline" ? null : "norm",
  kv_policy: "evict",
  max_new_tokens: 128,
  repeats: 3,
  model_hash: "c0ffee",
  ...fields,
});

/** Three samples around a median, `spread` apart. */
const around = (seconds: number, spread = 0.01) => [seconds * (1 - spread), seconds, seconds * (1 + spread)];

export function measured(prefill: number, decode: number, lengths: readonly number[], spread?: number) {
  return endToEndMeasurement({ prefill: around(prefill, spread), decode: around(decode, spread) }, { kv_lens_after_prefill: [...lengths] });
}

/** `times`: [prefill, decode] of the baseline and of the configuration by length, and the KV length kept. */
export function endToEndResults(config: string, times: Record<number, { baseline: [number, number]; sdtp: [number, number]; kept: number }>, fields: Partial<Metadata> = {}): EndToEndResults {
  const results = Object.entries(times).map(([length, { baseline, sdtp, kept }]) => {
    const n = Number(length);
    const pruned = { ...measured(...sdtp, [kept, kept]), tokens_kept: kept, tokens_pruned: n - kept };
    return [length, endToEndEntry(measured(...baseline, [n, n]), pruned)] as const;
  });
  return { schema_version: 1, metadata: { ...metadataOf(config, fields), benchmark_mode: "end2end" }, results: Object.fromEntries(results) };
}

export function baselineResults(times: Record<number, [number, number]>, fields: Partial<Metadata> = {}): EndToEndResults {
  const results = Object.entries(times).map(([length, time]) => [length, { baseline: measured(...time, [Number(length), Number(length)]) }] as const);
  return { schema_version: 1, metadata: { ...metadataOf("baseline", fields), benchmark_mode: "end2end" }, results: Object.fromEntries(results) };
}

export function prefillResults(config: string, times: Record<number, { baseline: number; sdtp: number; kept: number }>): PrefillResults {
  const results = Object.entries(times).map(([length, { baseline, sdtp, kept }]) => {
    const at = (seconds: number, tokens: number) => prefillMeasurement(around(seconds), { kv_lens_after_prefill: [tokens, tokens] });
    return [length, prefillEntry(at(baseline, Number(length)), { ...at(sdtp, kept), tokens_kept: kept, tokens_pruned: Number(length) - kept })] as const;
  });
  return { schema_version: 1, metadata: { ...metadataOf(config), benchmark_mode: "prefill" }, results: Object.fromEntries(results) };
}

/** The numbers of the seed document's example table. */
export const seedTable = {
  keep09: endToEndResults("keep09", { 4096: { baseline: [0.31, 3.39], sdtp: [0.2, 3.23], kept: 3686 } }),
  keep08: endToEndResults("keep08", { 4096: { baseline: [0.31, 3.39], sdtp: [0.18, 3.1], kept: 3276 } }),
  keep07: endToEndResults("keep07", { 4096: { baseline: [0.31, 3.39], sdtp: [0.15, 2.85], kept: 2867 } }),
};
