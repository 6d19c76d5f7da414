import type { Counting } from "../methods/plan/flops.js";
import { type BenchmarkMode, type EndToEndMeasurement, isEndToEnd, type DeviceRecord, type Metadata, type PrefillMeasurement, type Results } from "../bench/record.js";
import { apart } from "../bench/shared.js";
import { byConfig, lengthLabel, methodLabel, variantLabel } from "./label.js";
import { type Noise, noiseOf, otherWarnings } from "./noise.js";

/** One line of Table 2. Seconds, ratios, shares, FLOPs, bytes; null where there is none. */
export interface Table2Row {
  readonly length: number;
  readonly config: string;
  /** What tells the row from others of its configuration: a scorer, a KV policy; "" where the name does. */
  readonly variant: string;
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
  /** What the device said meanwhile. */
  readonly device: DeviceRecord | null;
  /** Speedups whose 95 % interval includes 1. */
  readonly noise: Noise;
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
  /** Results to report, one a configuration, scorer and KV policy. */
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
 * @throws when the files do not belong in one table: another model, device or dtype, a configuration twice, prefill results
 *   where end-to-end ones are asked for, no length in common with those asked for
 */
export function table2Rows(input: Table2Input): { rows: Table2Row[]; warnings: string[] } {
  const { mode, baseline, counting = "exact" } = input;
  const sources = input.sources.filter(({ results }) => results.metadata.config !== "baseline").sort((a, b) => byConfig(a.results.metadata.config, b.results.metadata.config));
  const shown = baseline ?? input.sources.find(({ results }) => results.metadata.config === "baseline");
  const all = shown ? [shown, ...sources] : sources;
  if (all.length === 0) throw new Error("results: none (give at least one results file)");
  checkTogether([...(shown ? [shown] : []), ...input.sources], mode);
  if (!baseline) oneBaseline(input.sources);
  const variants = tellApart(sources);

  const lengths = input.lengths ?? [...new Set(all.flatMap(({ results }) => Object.keys(results.results).map(Number)))].sort((a, b) => a - b);
  const rows: Table2Row[] = [];
  const warnings: string[] = [...differences(all), ...sources.flatMap((source) => missing(source, variants.get(source)!, input.lengths))];
  for (const length of lengths) {
    const present = sources.filter(({ results }) => results.results[length]);
    const from = shown?.results.results[length] ? shown : present[0];
    if (!from) continue;
    const reference = from.results.results[length]!.baseline;
    rows.push({ ...row(length, "baseline", "", reference, null, counting, mode), metadata: from.results.metadata });
    for (const source of present) {
      const { file, results } = source;
      const entry = results.results[length]!;
      const { config } = results.metadata;
      if (!("sdtp" in entry)) continue;
      const variant = variants.get(source)!;
      rows.push({ ...row(length, config, variant, entry.sdtp, entry.baseline, counting, mode), kvReduction: entry.kv_reduction ?? null, noise: noiseOf(entry.warnings), metadata: results.metadata });
      const label = `${lengthLabel(length)}, ${methodLabel(config, variant)}`;
      if (!sameTimes(reference, entry.baseline)) {
        warnings.push(`${label}: speedups are against the baseline measured with it (${timesOf(entry.baseline)}, in ${file}); the baseline shown is from another run (${timesOf(reference)}, in ${from.file})`);
      }
      const others = otherWarnings(entry.warnings);
      if (others.length > 0) warnings.push(`${label}: ${others.join("; ")}`);
    }
  }
  if (rows.length === 0) throw new Error(`lengths: ${lengths.join(", ")} (none is in ${all.map(({ file }) => file).join(", ")})`);
  return { rows, warnings };
}

type Measurement = EndToEndMeasurement | PrefillMeasurement;

function row(length: number, config: string, variant: string, measured: Measurement, baseline: Measurement | null, counting: Counting, mode: BenchmarkMode): Omit<Table2Row, "metadata"> {
  const flops = measured.flops?.[counting];
  const [{ prefill, decode, total }, before] = [times(measured), baseline && times(baseline)];
  const idealFrom = baseline?.flops?.[counting]?.prefill;
  const endToEnd = mode === "end2end";
  return {
    length,
    config,
    variant,
    method: methodLabel(config, variant),
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
    device: measured.device ?? null,
    noise: { prefill: false, endToEnd: false },
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

function checkTogether(all: readonly Source[], mode: BenchmarkMode): void {
  const first = all[0]!;
  for (const { file, results } of all) {
    const wrong = apart(results.metadata, first.results.metadata, first.file);
    if (wrong) throw new Error(`results file: ${file}: ${wrong}`);
    if (mode === "end2end" && !isEndToEnd(results)) throw new Error(`results file: ${file}: metadata.benchmark_mode: "prefill" (must be "end2end" for an end-to-end table)`);
  }
}

function oneBaseline(sources: readonly Source[]): void {
  const [first, second] = sources.filter(({ results }) => results.metadata.config === "baseline");
  if (second) throw new Error(`config: baseline (is in ${first!.file} and in ${second.file}; a table shows one)`);
}

/**
 * Names what tells results apart that would look alike: the scorer where not all have the same one, the KV policy where one
 * configuration has several.
 * @throws where one configuration is there twice with the same of both
 */
function tellApart(sources: readonly Source[]): Map<Source, string> {
  const scorers = new Set(sources.map(({ results }) => results.metadata.scorer));
  const variants = new Map<Source, string>();
  const files = new Map<string, string>();
  for (const source of sources) {
    const { config, scorer, kv_policy: policy } = source.results.metadata;
    const policies = new Set(sources.filter(({ results }) => results.metadata.config === config).map(({ results }) => results.metadata.kv_policy));
    const variant = [...(scorers.size > 1 ? [scorer ?? "no scorer"] : []), ...(policies.size > 1 ? [policy] : [])].join(", ");
    const name = variantLabel(config, variant);
    if (files.has(name)) throw new Error(`config: ${name} (is in ${files.get(name)} and in ${source.file}; a table shows each once)`);
    files.set(name, source.file);
    variants.set(source, variant);
  }
  return variants;
}

/** Conditions in which the files differ although rows of one table are read against each other. */
function differences(all: readonly Source[]): string[] {
  return (["threads", "max_new_tokens"] as const).flatMap((key) => {
    const values = new Set(all.map(({ results }) => results.metadata[key]));
    return values.size > 1 ? [`rows differ in ${key} (${[...values].join(", ")}): compare a row only with the baseline of its own file`] : [];
  });
}

function missing({ file, results }: Source, variant: string, lengths: readonly number[] | undefined): string[] {
  const absent = lengths?.filter((length) => !results.results[length]) ?? [];
  return absent.length > 0 ? [`${methodLabel(results.metadata.config, variant)}: no length ${absent.join(", ")} in ${file}`] : [];
}
