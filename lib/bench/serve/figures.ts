import { mean, percentile } from "../statistics.js";
import type { Ending, Sample } from "./client.js";

/** To the first text, a token after it, between two pieces of text, and end to end. */
export const metricNames = ["ttft", "tpot", "itl", "e2el"] as const;
export type MetricName = (typeof metricNames)[number];

/** Service level objectives, in milliseconds. */
export type Goodput = Readonly<Partial<Record<"ttft" | "tpot" | "e2el", number>>>;

/** What a load came to; names and definitions as in the results of `vllm bench serve`, where it has the same. */
export interface Figures {
  /** Seconds from the first request to the last one's end. */
  readonly duration: number;
  readonly completed: number;
  /** How all requests ended. */
  readonly endings: Readonly<Record<Ending, number>>;
  /** Malformed requests that got an answer all the same. */
  readonly malformed_answered: number;
  readonly total_input_tokens: number;
  readonly total_output_tokens: number;
  readonly request_throughput: number;
  /** Completed requests a second that met all objectives; null where none are set. */
  readonly request_goodput: number | null;
  readonly output_throughput: number;
  readonly total_token_throughput: number;
  readonly max_concurrent_requests: number;
  /** `mean_ttft_ms`, `median_ttft_ms`, `std_ttft_ms`, `p99_ttft_ms`, …, of requests that were completed; null where there are none. */
  readonly latencies: Readonly<Record<string, number | null>>;
}

/** Seconds a token after the first took on average; null of an answer of one. */
export function tpot({ ttft, e2el, output_tokens }: Sample): number | null {
  return ttft === null || output_tokens < 2 ? null : (e2el - ttft) / (output_tokens - 1);
}

/** @param samples of every request that was sent @param duration in seconds @param percentiles from 0 to 100 */
export function figures(samples: readonly Sample[], duration: number, percentiles: readonly number[], goodput: Goodput | null): Figures {
  const completed = samples.filter(({ kind, ended }) => ended === "completed" && kind !== "malformed");
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const [input, output] = [sum(completed.map(({ prompt_tokens }) => prompt_tokens ?? 0)), sum(completed.map(({ output_tokens }) => output_tokens))];
  const known = (values: readonly (number | null)[]) => values.filter((value) => value !== null);
  const values: Record<MetricName, readonly number[]> = {
    ttft: known(completed.map(({ ttft }) => ttft)),
    tpot: known(completed.map(tpot)),
    itl: completed.flatMap(({ itl }) => itl),
    e2el: completed.map(({ e2el }) => e2el),
  };
  // As there: an answer of one token has met any objective for the others.
  const good = ({ ttft, e2el, ...rest }: Sample) => goodput !== null && met(ttft ?? e2el, goodput.ttft) && met(tpot({ ttft, e2el, ...rest }) ?? 0, goodput.tpot) && met(e2el, goodput.e2el);
  return {
    duration,
    completed: completed.length,
    endings: endingsOf(samples),
    malformed_answered: samples.filter(({ kind, ended }) => kind === "malformed" && ended === "completed").length,
    total_input_tokens: input,
    total_output_tokens: output,
    request_throughput: completed.length / duration,
    request_goodput: goodput === null ? null : completed.filter(good).length / duration,
    output_throughput: output / duration,
    total_token_throughput: (input + output) / duration,
    max_concurrent_requests: peak(samples),
    latencies: Object.fromEntries(metricNames.flatMap((name) => latencies(name, values[name], percentiles))),
  };
}

const met = (seconds: number, milliseconds: number | undefined) => milliseconds === undefined || seconds * 1e3 <= milliseconds;

function endingsOf(samples: readonly Sample[]): Record<Ending, number> {
  const counts: Record<Ending, number> = { completed: 0, cancelled: 0, refused: 0, busy: 0, timed_out: 0, failed: 0, lost: 0 };
  for (const { ended } of samples) counts[ended]++;
  return counts;
}

function latencies(name: MetricName, seconds: readonly number[], percentiles: readonly number[]): [string, number | null][] {
  const of = (value: (seconds: readonly number[]) => number) => (seconds.length === 0 ? null : 1e3 * value(seconds));
  const deviation = (values: readonly number[]) => {
    const middle = mean(values);
    return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
  };
  return [
    [`mean_${name}_ms`, of(mean)],
    [`median_${name}_ms`, of((values) => percentile(values, 0.5))],
    [`std_${name}_ms`, of(deviation)],
    ...percentiles.map((p): [string, number | null] => [`p${p}_${name}_ms`, of((values) => percentile(values, p / 100))]),
  ];
}

/** Requests that were on their way at once, at most. */
function peak(samples: readonly Sample[]): number {
  const events = samples.flatMap(({ start, e2el }): [number, number][] => [[start, 1], [start + e2el, -1]]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let [now, most] = [0, 0];
  for (const [, change] of events) most = Math.max(most, (now += change));
  return most;
}
