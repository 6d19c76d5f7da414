import { latencies } from "./latency.js";
import type { EndToEndEntry, EndToEndMeasurement, LatencyRecord, PrefillEntry, PrefillMeasurement } from "./record.js";
import { bootstrapRatio, median, summarize } from "./statistics.js";

/** Seconds of one configuration at one length, a value for each repeat. */
export interface EndToEndSamples {
  readonly prefill: readonly number[];
  readonly decode: readonly number[];
  /** Each repeat's decode runs one by one, `[repeats][max_new_tokens]`. */
  readonly perToken?: readonly (readonly number[])[];
}

/** What is known of a run beside its latencies. */
export type EndToEndRest = Omit<EndToEndMeasurement, `${"prefill" | "decode" | "total"}_latency_seconds` | "samples" | "statistics" | "per_token_seconds" | "first_token_seconds" | keyof LatencyRecord>;

/**
 * A measurement from its samples: the reported latencies are medians, and the reported total is the reported
 * prefill plus the reported decode (the spread of the total is that of each repeat's sum).
 * @throws when the numbers of samples differ or there are none
 */
export function endToEndMeasurement(samples: EndToEndSamples, rest: EndToEndRest): EndToEndMeasurement {
  const { prefill, decode, perToken } = samples;
  if (prefill.length !== decode.length) throw new Error(`samples: ${prefill.length} of prefill and ${decode.length} of decode (must be equally many)`);
  const statistics = { prefill: summarize(prefill), decode: summarize(decode), total: summarize(prefill.map((seconds, i) => seconds + decode[i]!)) };
  const firstTokens = perToken?.map((run, i) => prefill[i]! + (run[0] ?? 0));
  return {
    prefill_latency_seconds: statistics.prefill.p50,
    decode_latency_seconds: statistics.decode.p50,
    total_latency_seconds: statistics.prefill.p50 + statistics.decode.p50,
    ...latencies(prefill, perToken ?? []),
    ...rest,
    ...(perToken && { first_token_seconds: median(firstTokens!), per_token_seconds: (perToken[0] ?? []).map((_, token) => median(perToken.map((run) => run[token]!))) }),
    samples: { prefill_seconds: [...prefill], decode_seconds: [...decode], ...(perToken && { per_token_seconds: perToken.map((run) => [...run]) }) },
    statistics,
  };
}

/** As `endToEndMeasurement`, for prefill alone. */
export function prefillMeasurement(samples: readonly number[], rest: Omit<PrefillMeasurement, "latency_seconds" | "samples" | "statistics" | keyof LatencyRecord>): PrefillMeasurement {
  const statistics = summarize(samples);
  return { latency_seconds: statistics.p50, ...latencies(samples, []), ...rest, samples: { seconds: [...samples] }, statistics };
}

/** A configuration held against the baseline of its own run, with a warning for each speedup that is within noise. */
export function endToEndEntry(baseline: EndToEndMeasurement, sdtp: EndToEndEntry["sdtp"]): EndToEndEntry {
  const speedup = {
    prefill: baseline.prefill_latency_seconds / sdtp.prefill_latency_seconds,
    decode: baseline.decode_latency_seconds / sdtp.decode_latency_seconds,
    total: baseline.total_latency_seconds / sdtp.total_latency_seconds,
  };
  const [b, s] = [baseline.samples, sdtp.samples];
  const totals = (samples: NonNullable<EndToEndMeasurement["samples"]>) => samples.prefill_seconds.map((seconds, i) => seconds + samples.decode_seconds[i]!);
  const warnings = b && s
    ? [
        ...few(b.prefill_seconds, s.prefill_seconds),
        ...doubt("prefill speedup", speedup.prefill, b.prefill_seconds, s.prefill_seconds),
        ...doubt("decode speedup", speedup.decode, b.decode_seconds, s.decode_seconds),
        ...doubt("end-to-end speedup", speedup.total, totals(b), totals(s)),
      ]
    : [];
  return { baseline, sdtp, speedup, kv_reduction: kvReduction(baseline.kv_lens_after_prefill, sdtp.kv_lens_after_prefill), ...(warnings.length > 0 && { warnings }) };
}

/** As `endToEndEntry`, for prefill alone. */
export function prefillEntry(baseline: PrefillMeasurement, sdtp: PrefillMeasurement): PrefillEntry {
  const speedup = baseline.latency_seconds / sdtp.latency_seconds;
  const [b, s] = [baseline.samples?.seconds, sdtp.samples?.seconds];
  const warnings = b && s ? [...few(b, s), ...doubt("prefill speedup", speedup, b, s)] : [];
  const [before, after] = [baseline.kv_lens_after_prefill, sdtp.kv_lens_after_prefill];
  return { baseline, sdtp, speedup, ...(before && after && { kv_reduction: kvReduction(before, after) }), ...(warnings.length > 0 && { warnings }) };
}

/** Share of the baseline's KV bytes that is gone, as the mean over the layers, whose tokens cost equally many bytes. */
export function kvReduction(baseline: readonly number[], sdtp: readonly number[]): number {
  if (baseline.length !== sdtp.length) throw new Error(`KV lengths: of ${sdtp.length} layers (must be of ${baseline.length}, like the baseline's)`);
  const total = (lengths: readonly number[]) => lengths.reduce((sum, length) => sum + length, 0);
  return 1 - total(sdtp) / total(baseline);
}

/** Fewer repeats than this give an interval too narrow to mean anything. */
const REPEATS_FOR_AN_INTERVAL = 3;

function few(baseline: readonly number[], sdtp: readonly number[]): string[] {
  const repeats = Math.min(baseline.length, sdtp.length);
  return repeats < REPEATS_FOR_AN_INTERVAL ? [`speedups are of ${repeats} repeat${repeats === 1 ? "" : "s"}: too few to tell them from noise (take ${REPEATS_FOR_AN_INTERVAL} or more)`] : [];
}

function doubt(what: string, speedup: number, baseline: readonly number[], sdtp: readonly number[]): string[] {
  if (Math.min(baseline.length, sdtp.length) < REPEATS_FOR_AN_INTERVAL) return [];
  const { low, high } = bootstrapRatio(baseline, sdtp);
  if (low > 1 || high < 1) return [];
  return [`${what} ${speedup.toFixed(2)} is within noise (95 % interval ${low.toFixed(2)} to ${high.toFixed(2)})`];
}
