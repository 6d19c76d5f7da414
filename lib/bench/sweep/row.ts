import { type Entry, entryOf, type Outcome } from "../entries.js";
import { type Failure, isFailure } from "../job.js";
import { metadataOf } from "../metadata.js";
import type { LatencyRecord, Metadata } from "../record.js";
import type { Cell } from "./cells.js";

/** One configuration at one point of a sweep. Seconds, ratios, bytes; null where there is none. */
export interface SweepRow {
  readonly model: string;
  readonly synthetic_weights: boolean;
  readonly device: string;
  readonly dtype: string;
  /** What is computed in, and what caches hold keys and values in. */
  readonly compute_dtype: string;
  readonly kv_dtype: string;
  readonly threads: number;
  readonly config: string;
  readonly scorer: string | null;
  readonly kv_policy: string | null;
  readonly length: number;
  readonly prefill_seconds: number | null;
  readonly decode_seconds: number | null;
  readonly total_seconds: number | null;
  /** See `LatencyRecord`; medians, but for the percentiles of single tokens. */
  readonly ttft_seconds: number | null;
  readonly tpot_seconds: number | null;
  readonly itl_p50_seconds: number | null;
  readonly itl_p90_seconds: number | null;
  readonly itl_p99_seconds: number | null;
  readonly tokens_per_second: number | null;
  /** Over the baseline measured in turn with it; null for the baseline itself. */
  readonly prefill_speedup: number | null;
  readonly end2end_speedup: number | null;
  readonly kv_reduction: number | null;
  readonly tokens_kept: number | null;
  readonly kv_bytes_after_prefill: number | null;
  readonly peak_memory_bytes: number | null;
  /** Where it was measured, on what of that machine (`cpu`, `cpu:0-7`, `cuda:1`), and processors busy with something else meanwhile, on average; null where it was not. */
  readonly machine: string | null;
  readonly placement: string | null;
  readonly load: number | null;
  /** Why there are no numbers, or null. */
  readonly error: string | null;
  /** Why numbers are to be doubted. */
  readonly warnings: readonly string[];
  /** The cell it was measured in: rows of one cell took turns. */
  readonly cell: string;
  /** As in a results file, with all samples; null where there is an error. */
  readonly entry: Entry | null;
  readonly metadata: Metadata | null;
}

/** What is written into rows of where they were measured. */
export interface Whereabouts {
  readonly machine: string;
  readonly placement: string;
}

export function rowsOf(cell: Pick<Cell, "group" | "facts" | "asked" | "key">, outcomes: readonly (Outcome | Failure)[], where: Whereabouts | null): SweepRow[] {
  const { group, facts, asked, key } = cell;
  const { checkpoint, device, dtype, computeDtype, kvDtype, threads } = group.subject;
  const baseline = outcomes[0]!;
  return asked.map((preset): SweepRow => {
    const outcome = outcomes[group.presets.indexOf(preset)]!;
    const isBaseline = preset.name === "baseline";
    const common = { model: checkpoint.name, synthetic_weights: checkpoint.synthetic, device, dtype, compute_dtype: computeDtype, kv_dtype: kvDtype, threads, config: preset.name, length: group.ids.length, cell: key };
    if (isFailure(outcome) || isFailure(baseline)) {
      const error = isFailure(outcome) ? outcome.error : `baseline: ${(baseline as Failure).error}`;
      return { ...common, scorer: isBaseline ? null : (group.scorer ?? null), kv_policy: group.kvPolicy ?? preset.kvPolicy, ...nothing, ...nowhere, ...where, error, warnings: [], entry: null, metadata: null };
    }
    const entry = entryOf({ mode: group.mode, maxNewTokens: group.maxNewTokens, warmup: group.warmup, config: checkpoint.config, length: group.ids.length }, baseline, isBaseline ? undefined : outcome);
    const here = { ...nowhere, ...where, load: outcome.load ?? null };
    const metadata = { ...metadataOf(facts, preset, outcome.measured, group.scorer), ...where, ...(outcome.load !== undefined && { load: outcome.load }) };
    return { ...common, scorer: metadata.scorer, kv_policy: metadata.kv_policy, ...numbers(entry), ...here, error: null, warnings: entry.warnings ?? [], entry, metadata };
  });
}

const nowhere = { machine: null, placement: null, load: null };

const nothing = {
  prefill_seconds: null, decode_seconds: null, total_seconds: null, ttft_seconds: null, tpot_seconds: null, itl_p50_seconds: null, itl_p90_seconds: null, itl_p99_seconds: null, tokens_per_second: null, prefill_speedup: null, end2end_speedup: null,
  kv_reduction: null, tokens_kept: null, kv_bytes_after_prefill: null, peak_memory_bytes: null,
};

function numbers(entry: Entry) {
  const measured = "sdtp" in entry ? entry.sdtp : entry.baseline;
  const times = "latency_seconds" in measured
    ? { prefill_seconds: measured.latency_seconds, decode_seconds: null, total_seconds: null }
    : { prefill_seconds: measured.prefill_latency_seconds, decode_seconds: measured.decode_latency_seconds, total_seconds: measured.total_latency_seconds };
  const speedup = "speedup" in entry ? entry.speedup : null;
  const { ttft_seconds: ttft, tpot_seconds: tpot, itl_seconds: itl, tokens_per_second: speed }: LatencyRecord = measured;
  return {
    ...times,
    ttft_seconds: ttft?.p50 ?? null, tpot_seconds: tpot?.p50 ?? null,
    itl_p50_seconds: itl?.p50 ?? null, itl_p90_seconds: itl?.p90 ?? null, itl_p99_seconds: itl?.p99 ?? null, tokens_per_second: speed ?? null,
    prefill_speedup: typeof speedup === "number" ? speedup : (speedup?.prefill ?? null),
    end2end_speedup: typeof speedup === "number" ? null : (speedup?.total ?? null),
    kv_reduction: ("kv_reduction" in entry ? entry.kv_reduction : null) ?? null,
    tokens_kept: measured.tokens_kept ?? null,
    kv_bytes_after_prefill: measured.kv_bytes_after_prefill ?? null,
    peak_memory_bytes: measured.peak_memory_bytes ?? null,
  };
}
