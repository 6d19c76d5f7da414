import type { EndToEndEntry, PrefillEntry, Results } from "../bench/record.js";
import { methodLabel } from "./label.js";

/**
 * The lines that show after a measurement whether pruning did what it should. Where layers hold different numbers of
 * tokens (`retain`), `sdtp=` is their mean, rounded.
 */
export function endToEndLines(length: number, { baseline, sdtp, speedup, kv_reduction }: EndToEndEntry): string {
  const times = (m: EndToEndEntry["baseline"]) =>
    `prefill=${m.prefill_latency_seconds.toFixed(4)}s, decode=${m.decode_latency_seconds.toFixed(4)}s, total=${m.total_latency_seconds.toFixed(4)}s`;
  return [
    `[Length ${length}] End2End Results:`,
    `  Baseline: ${times(baseline)}`,
    `  SDTP:     ${times(sdtp)}`,
    `  Speedup:  prefill=${speedup.prefill.toFixed(2)}x, decode=${speedup.decode.toFixed(2)}x, total=${speedup.total.toFixed(2)}x`,
    `  KV Cache: baseline=${meanLength(baseline.kv_lens_after_prefill)}, sdtp=${meanLength(sdtp.kv_lens_after_prefill)}, reduction=${(100 * kv_reduction).toFixed(2)}%`,
  ].join("\n");
}

/** As `endToEndLines`, for prefill alone. */
export function prefillLines(length: number, { baseline, sdtp, speedup }: PrefillEntry): string {
  return [
    `[Length ${length}] Prefill Results:`,
    `  Baseline: prefill=${baseline.latency_seconds.toFixed(4)}s`,
    `  SDTP:     prefill=${sdtp.latency_seconds.toFixed(4)}s`,
    `  Speedup:  prefill=${speedup.toFixed(2)}x`,
  ].join("\n");
}

function meanLength(lengths: readonly number[]): number {
  return Math.round(lengths.reduce((sum, length) => sum + length, 0) / lengths.length);
}

/** What is to be said against a length's numbers: too few repeats, a cold engine, differences within noise. */
export function warningsAt(results: ReadonlyMap<string, Results>, length: number): string[] {
  return [...results].flatMap(([config, { results: entries }]) => {
    const warnings = entries[length]?.warnings ?? [];
    return warnings.length > 0 ? [`${methodLabel(config)} at ${length}: ${warnings.join("; ")}`] : [];
  });
}

/** The lines of every configuration that was measured against the baseline at a length, each under its name. */
export function verification(results: ReadonlyMap<string, Results>, length: number): string[] {
  return [...results].flatMap(([config, { results: entries }]) => {
    const entry = entries[length];
    if (!entry || !("sdtp" in entry)) return [];
    const lines = "latency_seconds" in entry.sdtp ? prefillLines(length, entry as PrefillEntry) : endToEndLines(length, entry as EndToEndEntry);
    return [`${methodLabel(config)}\n${lines}`];
  });
}
