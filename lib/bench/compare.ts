import { mannWhitney } from "./mann-whitney.js";
import type { EndToEndMeasurement, Metadata, PrefillMeasurement, Results } from "./record.js";
import { bootstrapRatio, type Interval } from "./statistics.js";

/** One latency in two result sets. */
export interface Comparison {
  readonly config: string;
  readonly length: number;
  readonly measure: "prefill" | "decode" | "total";
  /** As reported: medians, and the sum of both medians for the total. Seconds. */
  readonly a: number;
  readonly b: number;
  /** b / a, and its 95 % interval by the bootstrap. */
  readonly ratio: number;
  readonly interval: Interval;
  /** Two-sided, of the Mann-Whitney test on the samples. */
  readonly p: number;
  /** `few`: so few repeats that no p value could be small enough. */
  readonly verdict: "faster" | "slower" | "within noise" | "few";
}

export interface ComparisonResult {
  readonly comparisons: readonly Comparison[];
  /** Under what conditions each set was measured, a value a configuration that is in both. */
  readonly metadata: { readonly a: readonly Metadata[]; readonly b: readonly Metadata[] };
  /** Conditions in which the sets differ: threads, versions, processor, … */
  readonly differences: readonly string[];
}

/** Share of false findings among the findings that is put up with. */
const FALSE_FINDINGS = 0.05;

/**
 * Are two result sets different beyond noise? Every latency that both have, the baseline's too. So many tests would
 * find something by chance: the threshold is Benjamini and Hochberg's (1995), at 5 % false findings.
 * @throws when the sets are of different models or modes, or have nothing in common
 */
export function compare(a: readonly Results[], b: readonly Results[]): ComparisonResult {
  const pairs = a.flatMap((left) => b.filter((right) => right.metadata.config === left.metadata.config).map((right) => [left, right] as const));
  if (pairs.length === 0) throw new Error(`results: no configuration in both (${names(a)}; ${names(b)})`);
  for (const [left, right] of pairs) together(left.metadata, right.metadata);
  const found = pairs.flatMap(([left, right]) => tests(left, right, pairs.length === 1 || left === pairs[0]![0]));
  if (found.length === 0) throw new Error("results: no length with samples in both");
  const limit = threshold(found.map(({ p }) => p));
  return {
    comparisons: found.map(({ least, ...test }) => ({ ...test, verdict: test.p <= limit ? (test.ratio < 1 ? "faster" : "slower") : least > FALSE_FINDINGS ? "few" : "within noise" })),
    metadata: { a: [...new Set(pairs.map(([left]) => left.metadata))], b: [...new Set(pairs.map(([, right]) => right.metadata))] },
    differences: [...new Set(pairs.flatMap(([left, right]) => differences(left.metadata, right.metadata)))],
  };
}

/** @param baseline whether to compare the baselines too: all files of a run hold the same one */
function tests(left: Results, right: Results, baseline: boolean): (Omit<Comparison, "verdict"> & { least: number })[] {
  return Object.keys(left.results).flatMap((length) => {
    const [x, y] = [left.results[length], right.results[length]];
    if (!x || !y) return [];
    const sides: [string, Measurement, Measurement][] = [
      ...(baseline ? [["baseline", x.baseline, y.baseline] as [string, Measurement, Measurement]] : []),
      ...("sdtp" in x && "sdtp" in y ? [[left.metadata.config, x.sdtp, y.sdtp] as [string, Measurement, Measurement]] : []),
    ];
    return sides.flatMap(([config, before, after]) => {
      const [s, t] = [samples(before), samples(after)];
      return (["prefill", "decode", "total"] as const).flatMap((measure) => {
        const [v, w] = [s?.[measure], t?.[measure]];
        if (!v || !w) return [];
        const { low, high } = bootstrapRatio(w, v);
        const [reportedA, reportedB] = [reported(before, measure), reported(after, measure)];
        return [{ config, length: Number(length), measure, a: reportedA, b: reportedB, ratio: reportedB / reportedA, interval: { low, high }, p: mannWhitney(v, w), least: leastP(v.length, w.length) }];
      });
    });
  });
}

type Measurement = EndToEndMeasurement | PrefillMeasurement;

function samples(measured: Measurement): Partial<Record<Comparison["measure"], readonly number[]>> | undefined {
  if (!measured.samples) return undefined;
  if ("seconds" in measured.samples) return { prefill: measured.samples.seconds };
  const { prefill_seconds: prefill, decode_seconds: decode } = measured.samples;
  return { prefill, decode, total: prefill.map((seconds, i) => seconds + decode[i]!) };
}

function reported(measured: Measurement, measure: Comparison["measure"]): number {
  return "latency_seconds" in measured ? measured.latency_seconds : measured[`${measure}_latency_seconds`];
}

/** The smallest p value that samples of these sizes can have: all of one below all of the other. */
function leastP(n: number, m: number): number {
  return mannWhitney(Array.from({ length: n }, (_, i) => i), Array.from({ length: m }, (_, i) => n + i));
}

/** The largest p value that counts, or -1. */
function threshold(ps: readonly number[]): number {
  const sorted = [...ps].sort((a, b) => a - b);
  return sorted.findLast((p, i) => p <= (FALSE_FINDINGS * (i + 1)) / sorted.length) ?? -1;
}

function together(a: Metadata, b: Metadata): void {
  if (a.benchmark_mode !== b.benchmark_mode) throw new Error(`benchmark mode: ${a.benchmark_mode} and ${b.benchmark_mode} (must be the same)`);
  // Held in another dtype, the same model's weights have another hash.
  if (a.dtype === b.dtype && a.model_hash !== undefined && b.model_hash !== undefined ? a.model_hash !== b.model_hash : a.model !== b.model) {
    throw new Error(`model: ${a.model} (${a.model_hash?.slice(0, 12)}) and ${b.model} (${b.model_hash?.slice(0, 12)}) (must be the same: weights or configuration differ)`);
  }
}

function differences(a: Metadata, b: Metadata): string[] {
  const flat = (m: Metadata): Record<string, unknown> => ({
    device: m.device, dtype: m.dtype, "KV dtype": m.kv_dtype ?? "fp32", threads: m.threads, scorer: m.scorer, "scorer key": m.scorer_key?.slice(0, 20), "KV policy": m.kv_policy, "new tokens": m.max_new_tokens, prompt: m.prompt?.hash?.slice(0, 12),
    machine: m.machine, on: m.placement, processor: m.cpu?.model, cores: m.cpu?.cores, commit: m.git_commit, ...m.versions,
  });
  const [x, y] = [flat(a), flat(b)];
  return [...new Set([...Object.keys(x), ...Object.keys(y)])].filter((key) => x[key] !== y[key]).map((key) => `${key}: ${x[key] ?? "unknown"} and ${y[key] ?? "unknown"}`);
}

function names(results: readonly Results[]): string {
  return results.map(({ metadata }) => metadata.config).join(", ");
}
