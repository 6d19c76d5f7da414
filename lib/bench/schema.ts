// What a results file holds. Seconds, bytes, tokens; latencies are medians over `samples`.
import { z } from "zod";

export const SCHEMA_VERSION = 1;

const seconds = z.number().nonnegative();
const bytes = z.number().int().nonnegative();
const tokens = z.number().int().nonnegative();
const flopsPair = z.object({ prefill: z.number().nonnegative(), end2end: z.number().nonnegative().optional() });
const spread = z.object({ p50: seconds, p90: seconds, min: seconds, max: seconds, mean: seconds, stdev: seconds });

/** What was measured beside the latencies, the same in both modes. */
const beside = {
  /** Tokens in each layer's cache, read off its tensors, `[layers]`. */
  kv_lens_after_prefill: z.array(tokens).min(1).optional(),
  kv_bytes_after_prefill: bytes.optional(),
  /** Tokens left after the last stage, and the others. */
  tokens_kept: tokens.optional(),
  tokens_pruned: tokens.optional(),
  /** Largest resident size of the process that measured. */
  peak_memory_bytes: bytes.optional(),
  flops: z.object({ exact: flopsPair.optional(), paper: flopsPair.optional() }).optional(),
  stages: z.array(z.object({ after_layer: z.number().int().nonnegative(), present: tokens, kept: tokens })).optional(),
};

/** One configuration, prefill and decode. */
export const endToEndMeasurement = z.object({
  prefill_latency_seconds: seconds,
  decode_latency_seconds: seconds,
  total_latency_seconds: seconds,
  ...beside,
  kv_lens_after_prefill: z.array(tokens).min(1),
  kv_lens_final: z.array(tokens).min(1).optional(),
  kv_bytes_final: bytes.optional(),
  /** From the prompt to the first decoded token. */
  first_token_seconds: seconds.optional(),
  /** Median time of each decode run, `[max_new_tokens]`. */
  per_token_seconds: z.array(seconds).optional(),
  samples: z.object({ prefill_seconds: z.array(seconds).min(1), decode_seconds: z.array(seconds).min(1), per_token_seconds: z.array(z.array(seconds)).optional() }).optional(),
  statistics: z.object({ prefill: spread, decode: spread, total: spread }).optional(),
});

/** One configuration, prefill alone. */
export const prefillMeasurement = z.object({
  latency_seconds: seconds,
  ...beside,
  samples: z.object({ seconds: z.array(seconds).min(1) }).optional(),
  statistics: spread.optional(),
});

const ratio = z.number().positive();
const reduction = z.number().min(0).lt(1);
const endToEndPruned = endToEndMeasurement.required({ tokens_kept: true, tokens_pruned: true });

/** One length of an end-to-end file: the configuration and the baseline measured in the same run. */
export const endToEndEntry = z.object({
  baseline: endToEndMeasurement,
  sdtp: endToEndPruned,
  speedup: z.object({ prefill: ratio, decode: ratio, total: ratio }),
  /** 1 - bytes of KV after prefill / those of the baseline. */
  kv_reduction: reduction,
  /** Why a figure is to be doubted, e.g. a spread that makes a speedup meaningless. */
  warnings: z.array(z.string()).optional(),
});
export const endToEndBaselineEntry = z.object({ baseline: endToEndMeasurement, warnings: z.array(z.string()).optional() });

export const prefillEntry = z.object({
  baseline: prefillMeasurement,
  sdtp: prefillMeasurement,
  speedup: ratio,
  kv_reduction: reduction.optional(),
  warnings: z.array(z.string()).optional(),
});
export const prefillBaselineEntry = z.object({ baseline: prefillMeasurement, warnings: z.array(z.string()).optional() });

/** How, on what and with what a file was measured. The first part is what every table must say. */
export const metadata = z.object({
  benchmark_mode: z.enum(["prefill", "end2end"]),
  /** Name of the preset; "baseline" where nothing else was measured. */
  config: z.string().min(1),
  model: z.string().min(1),
  synthetic_weights: z.boolean(),
  dtype: z.string().min(1),
  device: z.string().min(1),
  threads: z.number().int().positive(),
  /** None where nothing is pruned. */
  scorer: z.string().min(1).nullable(),
  kv_policy: z.enum(["evict", "retain"]),

  max_new_tokens: z.number().int().nonnegative().optional(),
  repeats: z.number().int().positive().optional(),
  warmup: z.number().int().nonnegative().optional(),
  seed: z.number().int().optional(),
  /** SHA-256 over configuration and weights, hex. */
  model_hash: z.string().optional(),
  preset: z.object({ name: z.string(), base_depth: z.number().int().positive(), stages: z.array(z.object({ after_block: z.number().int().nonnegative(), ratio: z.number() })) }).optional(),
  /** What the prompt was, e.g. a file's name, and SHA-256 of the token ids of the longest one. */
  prompt: z.object({ source: z.string(), hash: z.string().optional() }).optional(),
  versions: z.record(z.string(), z.string()).optional(),
  cpu: z.object({ model: z.string(), cores: z.number().int().positive() }).optional(),
  memory_bytes: bytes.optional(),
  platform: z.string().optional(),
  git_commit: z.string().nullable().optional(),
  /** Start of the run, ISO 8601. */
  time: z.string().optional(),
  /** The same in all files of one run, whose configurations were measured interleaved. */
  run: z.string().optional(),
});

const length = z.string().regex(/^[1-9][0-9]*$/, "expected a length in tokens");

/** The frame of a results file; its entries are checked by mode and configuration. */
export const frame = z.object({
  schema_version: z.literal(SCHEMA_VERSION),
  metadata,
  results: z.record(length, z.unknown()),
  /** Lengths that could not be measured, and why. */
  errors: z.record(length, z.string()).optional(),
});

export type Metadata = z.infer<typeof metadata>;
export type EndToEndMeasurement = z.infer<typeof endToEndMeasurement>;
export type PrefillMeasurement = z.infer<typeof prefillMeasurement>;
export type EndToEndEntry = z.infer<typeof endToEndEntry>;
export type EndToEndBaselineEntry = z.infer<typeof endToEndBaselineEntry>;
export type PrefillEntry = z.infer<typeof prefillEntry>;
export type PrefillBaselineEntry = z.infer<typeof prefillBaselineEntry>;
