// What a results file holds, as types (schema.ts checks what is read). Seconds, bytes, tokens; latencies are medians over
// `samples`. Apart from the checks, so that tables and cells do not load them.

import type { MethodRecord } from "../methods/method.js";

export const SCHEMA_VERSION = 1;

export type BenchmarkMode = "prefill" | "end2end";

/** Floating-point operations in one counting. */
export interface FlopsRecord {
  prefill: number;
  end2end?: number | undefined;
}

/** Seconds of one latency over the repeats. */
export interface SpreadRecord {
  p50: number;
  p90: number;
  min: number;
  max: number;
  mean: number;
  stdev: number;
}

/** Seconds below which so many of a hundred samples lie. */
export interface PercentilesRecord {
  p50: number;
  p90: number;
  p99: number;
}

/** Latencies under the names that servers are measured by; those of tokens only where some were decoded. */
export interface LatencyRecord {
  /** Time to first token, over the repeats: the prefill, from whose logits that token is chosen. */
  ttft_seconds?: PercentilesRecord | undefined;
  /** Time per output token after it: the mean of a repeat's decode runs, over the repeats. */
  tpot_seconds?: PercentilesRecord | undefined;
  /** Inter-token latency: of all decode runs of all repeats. */
  itl_seconds?: PercentilesRecord | undefined;
  /** Tokens a second while decoding: 1 / the median time per output token. */
  tokens_per_second?: number | undefined;
}

/** What the device itself said while a configuration ran. */
export interface DeviceRecord {
  /** Where figures are from; null: nothing could be read. */
  source: "nvidia-smi" | "RAPL" | null;
  card?: string | undefined;
  driver?: string | undefined;
  /** The card is split into instances. */
  mig?: boolean | undefined;
  /** Of the device's memory, and whose that is: this process's alone, or by how much more of the card was in use. */
  peak_device_memory_bytes: number | null;
  peak_device_memory_of: "process" | "card" | null;
  /** Mean of all repeats; with RAPL that of the whole processor, whoever used it. */
  energy_per_prompt_joules: number | null;
  energy_per_token_joules: number | null;
  power_watts: number | null;
  utilization_percent: number | null;
  sm_clock_mhz: number | null;
  memory_clock_mhz: number | null;
  samples: number;
  /** Why figures are null. */
  missing: string[];
}

/** What was measured beside the latencies, the same in both modes. */
export interface BesideRecord {
  /** Tokens in each layer's cache, read off its tensors, `[layers]`. */
  kv_lens_after_prefill?: number[] | undefined;
  kv_bytes_after_prefill?: number | undefined;
  /** Of these the hidden states of fallen tokens, where those may return. */
  aux_bytes_after_prefill?: number | undefined;
  /** Tokens left after the last stage, and the others. */
  tokens_kept?: number | undefined;
  tokens_pruned?: number | undefined;
  /** Largest resident size of the process that measured. */
  peak_memory_bytes?: number | undefined;
  /** The prompt went through the blocks in pieces of so many tokens; absent: as a whole. */
  prefill_piece_tokens?: number | undefined;
  device?: DeviceRecord | undefined;
  flops?: { exact?: FlopsRecord | undefined; paper?: FlopsRecord | undefined } | undefined;
  stages?: { after_layer: number; present: number; kept: number }[] | undefined;
}

/** One configuration, prefill and decode. */
export interface EndToEndMeasurement extends BesideRecord, LatencyRecord {
  prefill_latency_seconds: number;
  decode_latency_seconds: number;
  total_latency_seconds: number;
  kv_lens_after_prefill: number[];
  kv_lens_final?: number[] | undefined;
  kv_bytes_final?: number | undefined;
  aux_bytes_final?: number | undefined;
  /** Tokens that returned to each block while decoding, `[layers]`. */
  tokens_returned?: number[] | undefined;
  /** From the prompt until the first token was not only known (`ttft_seconds`) but decoded too. */
  first_token_seconds?: number | undefined;
  /** Median time of each decode run, `[max_new_tokens]`. */
  per_token_seconds?: number[] | undefined;
  samples?: { prefill_seconds: number[]; decode_seconds: number[]; per_token_seconds?: number[][] | undefined } | undefined;
  statistics?: { prefill: SpreadRecord; decode: SpreadRecord; total: SpreadRecord } | undefined;
}

/** One configuration, prefill alone. */
export interface PrefillMeasurement extends BesideRecord, Pick<LatencyRecord, "ttft_seconds"> {
  latency_seconds: number;
  samples?: { seconds: number[] } | undefined;
  statistics?: SpreadRecord | undefined;
}

/** One length of an end-to-end file: the configuration and the baseline measured in the same run. */
export interface EndToEndEntry {
  baseline: EndToEndMeasurement;
  sdtp: EndToEndMeasurement & { tokens_kept: number; tokens_pruned: number };
  speedup: { prefill: number; decode: number; total: number };
  /** 1 - bytes of KV after prefill / those of the baseline. */
  kv_reduction: number;
  /** Why a figure is to be doubted, e.g. a spread that makes a speedup meaningless. */
  warnings?: string[] | undefined;
}

export interface EndToEndBaselineEntry {
  baseline: EndToEndMeasurement;
  warnings?: string[] | undefined;
}

export interface PrefillEntry {
  baseline: PrefillMeasurement;
  sdtp: PrefillMeasurement;
  speedup: number;
  kv_reduction?: number | undefined;
  warnings?: string[] | undefined;
}

export interface PrefillBaselineEntry {
  baseline: PrefillMeasurement;
  warnings?: string[] | undefined;
}

/** How, on what and with what a file was measured. The first part is what every table must say. */
export interface Metadata {
  benchmark_mode: BenchmarkMode;
  /** Name of the preset; "baseline" where nothing else was measured. */
  config: string;
  model: string;
  synthetic_weights: boolean;
  /** What the weights are held in. */
  dtype: string;
  /** What is computed in, where it is known: 16-bit weights in fp32. */
  compute_dtype?: string | undefined;
  /** What caches hold keys and values in; fp32 where it is not said. */
  kv_dtype?: string | undefined;
  device: string;
  threads: number;
  /** None where nothing is pruned. */
  scorer: string | null;
  /** Tells scorers of one name apart: `learned:` and SHA-256 over the trained modules, `random:` and the seed. */
  scorer_key?: string | undefined;
  kv_policy: "evict" | "retain";

  max_new_tokens?: number | undefined;
  repeats?: number | undefined;
  warmup?: number | undefined;
  seed?: number | undefined;
  /** SHA-256 over configuration and weights, hex. */
  model_hash?: string | undefined;
  preset?: ({ name: string } & MethodRecord) | undefined;
  /** What the prompt was, e.g. a file's name, and SHA-256 of the token ids of the longest one. */
  prompt?: { source: string; hash?: string | undefined } | undefined;
  versions?: Record<string, string> | undefined;
  cpu?: { model: string; cores: number } | undefined;
  memory_bytes?: number | undefined;
  platform?: string | undefined;
  /** Name of the machine, what of it the measurement was given (`cpu`, `cpu:0-7`, `cuda:1`), and processors that were busy with something else meanwhile, on average. */
  machine?: string | undefined;
  placement?: string | undefined;
  load?: number | undefined;
  git_commit?: string | null | undefined;
  /** Start of the run, ISO 8601. */
  time?: string | undefined;
  /** The same in all files of one run, whose configurations were measured interleaved. */
  run?: string | undefined;
}

/** Prefill and decode of one configuration by prompt length; a baseline's own file has entries without `sdtp`. */
export interface EndToEndResults {
  schema_version: typeof SCHEMA_VERSION;
  metadata: Metadata & { benchmark_mode: "end2end" };
  results: Record<string, EndToEndEntry | EndToEndBaselineEntry>;
  /** Lengths that could not be measured, and why. */
  errors?: Record<string, string>;
}

/** Prefill alone of one configuration by prompt length. */
export interface PrefillResults {
  schema_version: typeof SCHEMA_VERSION;
  metadata: Metadata & { benchmark_mode: "prefill" };
  results: Record<string, PrefillEntry | PrefillBaselineEntry>;
  /** Lengths that could not be measured, and why. */
  errors?: Record<string, string>;
}

export type Results = EndToEndResults | PrefillResults;

export function isEndToEnd(results: Results): results is EndToEndResults {
  return results.metadata.benchmark_mode === "end2end";
}
