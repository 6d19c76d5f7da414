import type { Counting } from "../bench/flops.js";
import { type BenchmarkMode, type EndToEndMeasurement, isEndToEnd, type Metadata, type PrefillMeasurement, type Results } from "../bench/record.js";
import { byConfig, lengthLabel, methodLabel } from "./label.js";

/** One line of Table 2. Seconds, ratios, shares, FLOPs, bytes; null where there is none. */
export interface Table2Row {
  readonly length: number;
  readonly config: string;
  readonly method: string;
  readonly prefill: number | null;
  readonly decode: number | null;
  readonly total: number | null;
  readonly prefillSpeedup: number | null;
  readonly endToEndSpeedup: number | null;
  readonly kvReduction: number | null;
  readonly prefillFlops: number | null;
  readonly endToEndFlops: number | null;
  /** The baseline's prefill FLOPs divided by this row's. */
  readonly idealPrefillSpeedup: number | null;
  readonly peakMemory: number | null;
  /** Bytes of KV in all layers after prefill. */
  readonly kvBytes: number | null;
  /** Null where the row is a published one. */
  readonly metadata: Metadata | null;
}

/** A results file and where it was read from. */
export interface Source {
  readonly file: string;
  readonly results: Results;
}

export interface Table2Input {
  readonly mode: BenchmarkMode;
  /** Results to report, one a configuration. */
  readonly sources: readonly Source[];
  /** Whose baseline is shown; without it, at each length the first source's. */
  readonly baseline?: Source;
  /** Lengths to show; all by default. */
  readonly lengths?: readonly number[];
  /** Default `exact`. */
  readonly counting?: Counting;
}

/**
 * The rows of Table 2, by length and then configuration, each speedup against the baseline of the row's own file.
 * Also what a reader must know to trust them.
 * @throws when the files do not belong in one table: another model, a configuration twice, prefill results where
 *   end-to-end ones are asked for, no length in common with those asked for
 */
export function table2Rows(input: Table2Input): { rows: Table2Row[]; warnings: string[] } {
  const { mode, baseline, counting = "exact" } = input;
  const sources = input.sources.filter(({ results }) => results.metadata.config !== "baseline").sort((a, b) => byConfig(a.results.metadata.config, b.results.metadata.config));
  const shown = baseline ?? input.sources.find(({ results }) => results.metadata.config === "baseline");
  const all = shown ? [shown, ...sources] : sources;
  if (all.length === 0) throw new Error("results: none (give at least one results file)");
  checkTogether(all, sources, mode);

  const lengths = input.lengths ?? [...new Set(all.flatMap(({ results }) => Object.keys(results.results).map(Number)))].sort((a, b) => a - b);
  const rows: Table2Row[] = [];
  const warnings: string[] = [...differences(all), ...missing(sources, input.lengths)];
  for (const length of lengths) {
    const present = sources.filter(({ results }) => results.results[length]);
    const from = shown?.results.results[length] ? shown : present[0];
    if (!from) continue;
    const reference = from.results.results[length]!.baseline;
    rows.push({ ...row(length, "baseline", reference, null, counting, mode), metadata: from.results.metadata });
    for (const { file, results } of present) {
      const entry = results.results[length]!;
      const { config } = results.metadata;
      if (!("sdtp" in entry)) continue;
      rows.push({ ...row(length, config, entry.sdtp, entry.baseline, counting, mode), kvReduction: entry.kv_reduction ?? null, metadata: results.metadata });
      const label = `${lengthLabel(length)}, ${methodLabel(config)}`;
      if (!sameTimes(reference, entry.baseline)) {
        warnings.push(`${label}: speedups are against the baseline measured with it (${timesOf(entry.baseline)}, in ${file}); the baseline shown is from another run (${timesOf(reference)}, in ${from.file})`);
      }
      if (entry.warnings?.length) warnings.push(`${label}: ${entry.warnings.join("; ")}`);
    }
  }
  if (rows.length === 0) throw new Error(`lengths: ${lengths.join(", ")} (none is in ${all.map(({ file }) => file).join(", ")})`);
  return { rows, warnings };
}

type Measurement = EndToEndMeasurement | PrefillMeasurement;

function row(length: number, config: string, measured: Measurement, baseline: Measurement | null, counting: Counting, mode: BenchmarkMode): Omit<Table2Row, "metadata"> {
  const flops = measured.flops?.[counting];
  const [{ prefill, decode, total }, before] = [times(measured), baseline && times(baseline)];
  const idealFrom = baseline?.flops?.[counting]?.prefill;
  const endToEnd = mode === "end2end";
  return {
    length,
    config,
    method: methodLabel(config),
    prefill,
    decode: endToEnd ? decode : null,
    total: endToEnd ? total : null,
    prefillSpeedup: before && before.prefill / prefill,
    endToEndSpeedup: endToEnd && before && total !== null && before.total !== null ? before.total / total : null,
    kvReduction: null,
    prefillFlops: flops?.prefill ?? null,
    endToEndFlops: (endToEnd && flops?.end2end) || null,
    idealPrefillSpeedup: flops && idealFrom !== undefined ? idealFrom / flops.prefill : null,
    peakMemory: measured.peak_memory_bytes ?? null,
    kvBytes: measured.kv_bytes_after_prefill ?? null,
  };
}

function times(measured: Measurement): { prefill: number; decode: number | null; total: number | null } {
  if ("latency_seconds" in measured) return { prefill: measured.latency_seconds, decode: null, total: null };
  return { prefill: measured.prefill_latency_seconds, decode: measured.decode_latency_seconds, total: measured.total_latency_seconds };
}

function sameTimes(a: Measurement, b: Measurement): boolean {
  const [x, y] = [times(a), times(b)];
  return x.prefill === y.prefill && (x.decode === null || y.decode === null || x.decode === y.decode);
}

function timesOf(measured: Measurement): string {
  const { prefill, total } = times(measured);
  return `prefill ${prefill.toFixed(4)} s${total === null ? "" : `, total ${total.toFixed(4)} s`}`;
}

function checkTogether(all: readonly Source[], sources: readonly Source[], mode: BenchmarkMode): void {
  const first = all[0]!;
  for (const { file, results } of all) {
    const { model, model_hash: hash } = results.metadata;
    const expected = first.results.metadata;
    if (model !== expected.model) throw new Error(`results file: ${file}: metadata.model: ${model} (must be ${expected.model} as in ${first.file}: one table shows one model)`);
    if (hash && expected.model_hash && hash !== expected.model_hash) {
      throw new Error(`results file: ${file}: metadata.model_hash: ${hash} (must be ${expected.model_hash} as in ${first.file}: the weights or the configuration differ)`);
    }
    if (mode === "end2end" && !isEndToEnd(results)) throw new Error(`results file: ${file}: metadata.benchmark_mode: "prefill" (must be "end2end" for an end-to-end table)`);
  }
  const files = new Map<string, string>();
  for (const { file, results } of sources) {
    const { config } = results.metadata;
    if (files.has(config)) throw new Error(`config: ${config} (is in ${files.get(config)} and in ${file}; a table shows each once)`);
    files.set(config, file);
  }
}

/** Conditions in which the files differ although rows of one table are read against each other. */
function differences(all: readonly Source[]): string[] {
  return (["device", "dtype", "threads", "max_new_tokens"] as const).flatMap((key) => {
    const values = new Set(all.map(({ results }) => results.metadata[key]));
    return values.size > 1 ? [`rows differ in ${key} (${[...values].join(", ")}): compare a row only with the baseline of its own file`] : [];
  });
}

function missing(sources: readonly Source[], lengths: readonly number[] | undefined): string[] {
  return sources.flatMap(({ file, results }) => {
    const absent = lengths?.filter((length) => !results.results[length]) ?? [];
    return absent.length > 0 ? [`${methodLabel(results.metadata.config)}: no length ${absent.join(", ")} in ${file}`] : [];
  });
}
