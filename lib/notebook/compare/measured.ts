/** What differs from run to run by its nature: times, rates, speedups and the memory that a process took. */

const TIME = /(?:^|[\s(/,])(?:ns|µs|us|ms|s|sec|secs|seconds?|min|minutes?|h|hours?)(?:$|[\s),/])/i;
const RATE = /(?:\/\s?s\b|per second|\btok(?:ens)?\/s|\bgflop(?:s|\/s)\b|\btflop\/s\b)/i;
const WORDS = /\b(?:time|times|latency|latencies|duration|elapsed|seconds|speedup|speed|faster|throughput|tokens a second|peak (?:memory|rss)|memory peak|rss)\b/i;
/** Columns of Table 2 whose names say it neither by a unit nor by a word: the peak of a process, and a saving of time. */
const TABLE_2 = /^(?:memory \(gb\)|ideal saving reached \(%\))$/i;

/** Whether a column, row or axis of this name holds measurements of time or of the machine. */
export function isMeasured(heading: string): boolean {
  // prefill_seconds, prefillSeconds
  const name = heading.replaceAll("_", " ").replace(/(?<=\p{Ll})(?=\p{Lu})/gu, " ");
  // A bare "min" is the least of something.
  const unit = /[([]\s*([^)\]]*)\s*[)\]]\s*$/.exec(name)?.[1] ?? (/^\s*(?:ns|µs|us|ms|s)\s*$/.test(name) ? name : "");
  return (unit !== "" && TIME.test(` ${unit} `)) || RATE.test(name) || WORDS.test(name) || TABLE_2.test(heading.trim());
}

/** What follows a number that is a time or a rate: `12.5 ms`, `3.1s`, `40 tokens/s`. */
export const MEASURED_UNIT = /^\s?(?:ns|µs|us|ms|s|sec|secs|seconds?|min|minutes?|hours?|tok(?:ens)?\/s|it\/s|[kMGT]?i?B\/s|GFLOP\/s|TFLOP\/s)(?![\p{L}\p{N}/])/u;

/** A clock's reading, `0:14` or `1:02:03`. */
export const CLOCK = /(?<![\d:])\d+:[0-5]\d(?::[0-5]\d)?(?![\d:])/g;

/** How many threads a measurement took, which is how many cores the machine has. */
export const THREADS = /\bthreads \d+\b/g;

/** A line that says of measurements that they do not tell anything; or a sweep's, how much of it earlier runs had done: `3 cells measured, 0 found (0:27)`. */
export const NOISE = /\bwithin noise\b|\bcells? measured, \d+ found\b/i;
