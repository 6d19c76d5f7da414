// Latencies in the terms in which servers are measured (as `vllm bench serve` defines them), from the samples of runs.
import type { LatencyRecord, PercentilesRecord } from "./record.js";
import { mean, median, percentile } from "./statistics.js";

/** @throws where there are no samples */
export function percentiles(seconds: readonly number[]): PercentilesRecord {
  return { p50: percentile(seconds, 0.5), p90: percentile(seconds, 0.9), p99: percentile(seconds, 0.99) };
}

/**
 * @param prefill seconds of each run's prefill
 * @param perToken seconds of each run's decode runs, `[runs][tokens]`; runs without any have a time to the first token alone
 */
export function latencies(prefill: readonly number[], perToken: readonly (readonly number[])[]): LatencyRecord {
  const ttft = { ttft_seconds: percentiles(prefill) };
  const runs = perToken.filter((tokens) => tokens.length > 0);
  if (runs.length === 0) return ttft;
  const means = runs.map(mean);
  return { ...ttft, tpot_seconds: percentiles(means), itl_seconds: percentiles(runs.flat()), tokens_per_second: 1 / median(means) };
}
