// Checks what results files hold; record.ts says what each field is.
import { z } from "zod";
import { methodRecordSchema } from "../methods/record-schema.js";
import { SCHEMA_VERSION } from "./record.js";
import type * as record from "./record.js";

const seconds = z.number().nonnegative();
const bytes = z.number().int().nonnegative();
const tokens = z.number().int().nonnegative();
/** Where heads of a layer hold different numbers of tokens, their mean. */
const held = z.number().nonnegative();
const flopsPair = z.object({ prefill: z.number().nonnegative(), end2end: z.number().nonnegative().optional() });
const spread = z.object({ p50: seconds, p90: seconds, min: seconds, max: seconds, mean: seconds, stdev: seconds });
const percentiles = z.object({ p50: seconds, p90: seconds, p99: seconds });

const figure = z.number().nonnegative().nullable();
const device = z.object({
  source: z.enum(["nvidia-smi", "RAPL"]).nullable(),
  card: z.string().optional(),
  driver: z.string().optional(),
  mig: z.boolean().optional(),
  peak_device_memory_bytes: figure,
  peak_device_memory_of: z.enum(["process", "card"]).nullable(),
  energy_per_prompt_joules: figure,
  energy_per_token_joules: figure,
  power_watts: figure,
  utilization_percent: figure,
  sm_clock_mhz: figure,
  memory_clock_mhz: figure,
  samples: z.number().int().nonnegative(),
  missing: z.array(z.string()),
}) satisfies z.ZodType<record.DeviceRecord>;

const beside = {
  kv_lens_after_prefill: z.array(held).min(1).optional(),
  kv_bytes_after_prefill: bytes.optional(),
  aux_bytes_after_prefill: bytes.optional(),
  tokens_kept: tokens.optional(),
  tokens_pruned: tokens.optional(),
  peak_memory_bytes: bytes.optional(),
  prefill_piece_tokens: z.number().int().positive().optional(),
  device: device.optional(),
  flops: z.object({ exact: flopsPair.optional(), paper: flopsPair.optional() }).optional(),
  stages: z.array(z.object({ after_layer: z.number().int().min(-1), present: tokens, kept: tokens })).optional(),
};

export const endToEndMeasurement = z.object({
  prefill_latency_seconds: seconds,
  decode_latency_seconds: seconds,
  total_latency_seconds: seconds,
  ...beside,
  kv_lens_after_prefill: z.array(held).min(1),
  kv_lens_final: z.array(held).min(1).optional(),
  kv_bytes_final: bytes.optional(),
  aux_bytes_final: bytes.optional(),
  tokens_returned: z.array(tokens).optional(),
  ttft_seconds: percentiles.optional(),
  tpot_seconds: percentiles.optional(),
  itl_seconds: percentiles.optional(),
  tokens_per_second: z.number().positive().optional(),
  first_token_seconds: seconds.optional(),
  per_token_seconds: z.array(seconds).optional(),
  samples: z.object({ prefill_seconds: z.array(seconds).min(1), decode_seconds: z.array(seconds).min(1), per_token_seconds: z.array(z.array(seconds)).optional() }).optional(),
  statistics: z.object({ prefill: spread, decode: spread, total: spread }).optional(),
}) satisfies z.ZodType<record.EndToEndMeasurement>;

export const prefillMeasurement = z.object({
  latency_seconds: seconds,
  ttft_seconds: percentiles.optional(),
  ...beside,
  samples: z.object({ seconds: z.array(seconds).min(1) }).optional(),
  statistics: spread.optional(),
}) satisfies z.ZodType<record.PrefillMeasurement>;

const ratio = z.number().positive();
const reduction = z.number().min(0).lt(1);
const endToEndPruned = endToEndMeasurement.required({ tokens_kept: true, tokens_pruned: true });

export const endToEndEntry = z.object({
  baseline: endToEndMeasurement,
  sdtp: endToEndPruned,
  speedup: z.object({ prefill: ratio, decode: ratio, total: ratio }),
  kv_reduction: reduction,
  warnings: z.array(z.string()).optional(),
}) satisfies z.ZodType<record.EndToEndEntry>;
export const endToEndBaselineEntry = z.object({ baseline: endToEndMeasurement, warnings: z.array(z.string()).optional() }) satisfies z.ZodType<record.EndToEndBaselineEntry>;

export const prefillEntry = z.object({
  baseline: prefillMeasurement,
  sdtp: prefillMeasurement,
  speedup: ratio,
  kv_reduction: reduction.optional(),
  warnings: z.array(z.string()).optional(),
}) satisfies z.ZodType<record.PrefillEntry>;
export const prefillBaselineEntry = z.object({ baseline: prefillMeasurement, warnings: z.array(z.string()).optional() }) satisfies z.ZodType<record.PrefillBaselineEntry>;

export const metadata = z.object({
  benchmark_mode: z.enum(["prefill", "end2end"]),
  config: z.string().min(1),
  model: z.string().min(1),
  synthetic_weights: z.boolean(),
  dtype: z.string().min(1),
  compute_dtype: z.string().min(1).optional(),
  kv_dtype: z.string().min(1).optional(),
  device: z.string().min(1),
  threads: z.number().int().positive(),
  scorer: z.string().min(1).nullable(),
  scorer_key: z.string().min(1).optional(),
  kv_policy: z.enum(["evict", "retain"]),

  max_new_tokens: z.number().int().nonnegative().optional(),
  repeats: z.number().int().positive().optional(),
  warmup: z.number().int().nonnegative().optional(),
  seed: z.number().int().optional(),
  model_hash: z.string().optional(),
  preset: methodRecordSchema.extend({ name: z.string() }).optional(),
  prompt: z.object({ source: z.string(), hash: z.string().optional() }).optional(),
  versions: z.record(z.string(), z.string()).optional(),
  cpu: z.object({ model: z.string(), cores: z.number().int().positive() }).optional(),
  memory_bytes: bytes.optional(),
  platform: z.string().optional(),
  machine: z.string().optional(),
  placement: z.string().optional(),
  load: z.number().nonnegative().optional(),
  git_commit: z.string().nullable().optional(),
  time: z.string().optional(),
  run: z.string().optional(),
}) satisfies z.ZodType<record.Metadata>;

const length = z.string().regex(/^[1-9][0-9]*$/, "expected a length in tokens");

/** The frame of a results file; its entries are checked by mode and configuration. */
export const frame = z.object({
  schema_version: z.literal(SCHEMA_VERSION),
  metadata,
  results: z.record(length, z.unknown()),
  /** Lengths that could not be measured, and why. */
  errors: z.record(length, z.string()).optional(),
});
