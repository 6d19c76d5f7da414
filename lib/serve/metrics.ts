import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { PrefixCache } from "./prefix-cache.js";
import type { Turns } from "./turns.js";

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60];
const TOKENS = [16, 64, 256, 1024, 4096, 16384, 65536, 131072];

/** When the pieces of an answer come. */
export interface RequestTimes {
  part(choice: number): void;
  /** @param tokens of all choices together */
  end(tokens: number): void;
}

/** What a server counts, for Prometheus; names as vLLM's where it has the same. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #held = new Set<{ readonly bytes: number }>();
  readonly requests = this.#counter("requests_total", "Requests that ended, by route and status", ["route", "status"]);
  readonly promptTokens = this.#counter("prompt_tokens_total", "Tokens of prompts");
  readonly cachedTokens = this.#counter("prompt_tokens_cached_total", "Tokens of prompts that other requests' caches held");
  readonly keptTokens = this.#counter("kept_tokens_total", "Tokens of prompts that the last block's cache held after prefill");
  readonly generatedTokens = this.#counter("generation_tokens_total", "Tokens generated");
  readonly timeToFirstToken = this.#histogram("time_to_first_token_seconds", "From a request's arrival to its first token", SECONDS);
  readonly interToken = this.#histogram("inter_token_latency_seconds", "Between two pieces of an answer", SECONDS);
  readonly timePerToken = this.#histogram("request_time_per_output_token_seconds", "Of the tokens after the first, on average over a request of one answer", SECONDS);
  readonly endToEnd = this.#histogram("e2e_request_latency_seconds", "From a request's arrival to its answer's end", SECONDS);
  readonly queueTime = this.#histogram("request_queue_time_seconds", "From a request's arrival to its start", SECONDS);
  readonly promptLength = this.#histogram("request_prompt_tokens", "Tokens of a prompt", TOKENS);

  /** Of each run that extends sequences: how many go together. */
  readonly sequences = this.#histogram("step_sequences", "Sequences that one run of the model extended", [1, 2, 3, 4, 6, 8, 12, 16]);
  readonly iterationTokens = this.#histogram("iteration_tokens_total", "Tokens that one run of the model appended", [1, 2, 4, 8, 16, 64, 256, 1024]);

  constructor(turns: Turns, prefixes: PrefixCache) {
    this.#gauge("prefix_cache_bytes", "Bytes of the caches of requests that ended, for prompts that begin alike", () => prefixes.bytes);
    this.#gauge("num_requests_running", "Requests whose caches are held", () => turns.running);
    this.#gauge("num_requests_waiting", "Requests that wait for room", () => turns.waiting);
    new Gauge({ name: "process_resident_memory_bytes", help: "Memory of this process", registers: [this.#registry], collect() { this.set(process.memoryUsage.rss()); } });
    this.#gauge("kv_cache_bytes", "Bytes of the caches that are held", () => [...this.#held].reduce((sum, { bytes }) => sum + bytes, 0));
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Times a request that starts now. @param arrived `performance.now()` when it came */
  request(arrived: number): RequestTimes {
    const since = (from: number) => (performance.now() - from) / 1e3;
    let first: number | null = null;
    const last = new Map<number, number>();
    this.queueTime.observe(since(arrived));
    return {
      part: (choice) => {
        const before = last.get(choice);
        if (first === null) this.timeToFirstToken.observe(since(arrived));
        else if (before !== undefined) this.interToken.observe(since(before));
        last.set(choice, performance.now());
        first ??= performance.now();
      },
      end: (tokens) => {
        this.endToEnd.observe(since(arrived));
        if (first !== null && last.size === 1 && tokens > 1) this.timePerToken.observe(since(first) / (tokens - 1));
      },
    };
  }

  /** Counts a cache as long as it is held. @returns what ends that */
  hold(cache: { readonly bytes: number }): () => void {
    this.#held.add(cache);
    return () => void this.#held.delete(cache);
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name: `sdtp:${name}`, help, labelNames, registers: [this.#registry] });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name: `sdtp:${name}`, help, buckets, registers: [this.#registry] });
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({ name: `sdtp:${name}`, help, registers: [this.#registry], collect() { this.set(value()); } });
  }
}
