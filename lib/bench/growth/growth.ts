import { join, relative } from "node:path";
import { writeOutput } from "../../files.js";
import { formatJson } from "../../format-json.js";
import { resolveMethod } from "../../methods/resolve.js";
import { measuredEnvironment, type Environment } from "../environment.js";
import type { EndToEndMeasurement } from "../record.js";
import { sweep, type SweepOptions, type SweepRow } from "../sweep/sweep.js";
import { fitPower, type PowerLaw } from "./fit.js";

export interface GrowthOptions {
  /** Prompt lengths, ascending; default 1024 to 32768 by doublings. */
  readonly lengths?: readonly number[];
  /** Numbers of blocks, ascending; the first is that of the lengths. Default 8, 16, 32. */
  readonly depths?: readonly number[];
  /** Length at which the depth grows; default 4096. */
  readonly depthLength?: number;
  /** Methods; the baseline is always among them. Default `sdtp`. */
  readonly configs?: readonly string[];
  readonly threads?: number;
  /** Default 3. */
  readonly repeats?: number;
  /** Where what was measured is kept and found again; default results/growth. */
  readonly folder?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (share: number, label: string) => void;
  /** Told each row, those that were found too. */
  readonly onRow?: (row: GrowthRow) => void;
}

/** A row, and the blocks of its model. */
export type GrowthRow = SweepRow & { readonly depth: number };

/** What grows. */
export const quantities = ["prefill_seconds", "tpot_seconds", "peak_memory_bytes", "kv_bytes_after_prefill"] as const;
export type Quantity = (typeof quantities)[number];

/** How one quantity of a method grows with length or depth. */
export interface Growth extends PowerLaw {
  readonly config: string;
  readonly by: "length" | "depth";
  readonly quantity: Quantity;
  /** Sizes and what was measured there: the medians of the repeats. */
  readonly points: readonly (readonly [size: number, value: number])[];
  /** Exponent of the exact count of operations over the same sizes, of times alone. */
  readonly flops: number | null;
}

export interface GrowthResult {
  readonly schema_version: 1;
  readonly environment: Environment;
  readonly time: string;
  readonly threads: number;
  readonly repeats: number;
  readonly lengths: readonly number[];
  readonly depths: readonly number[];
  readonly depth_length: number;
  /** The shape of the models, but for their depth. */
  readonly shape: typeof SHAPE;
  readonly growth: readonly Growth[];
  /** By depth, with all samples. */
  readonly rows: readonly GrowthRow[];
}

/** Small, so that 32 blocks and 32 K tokens take seconds; heads and feed-forward in the proportions of the large ones. */
const SHAPE = {
  model_type: "llama", hidden_act: "silu", hidden_size: 256, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 64, intermediate_size: 704,
  vocab_size: 4096, max_position_embeddings: 131_072, rms_norm_eps: 1e-5, rope_theta: 500_000, rope_scaling: null, tie_word_embeddings: false, initializer_range: 0.02,
};

/** Tokens decoded after each prompt. */
const NEW_TOKENS = 16;

/**
 * How time and memory grow with length and depth, as exponents fitted to what was measured on synthetic models, beside those of the operations counted.
 * What is done is kept in `folder`: the same call goes on from there.
 * @throws before anything runs on sizes that give no exponent; where a measurement failed; AbortError on `signal`
 */
export async function benchGrowth({ lengths = [1024, 2048, 4096, 8192, 16384, 32768], depths = [8, 16, 32], depthLength = 4096, configs = ["sdtp"], threads, repeats = 3, folder = "results/growth", signal, onProgress, onRow }: GrowthOptions = {}): Promise<GrowthResult> {
  for (const [noun, sizes] of [["lengths", lengths], ["depths", depths]] as const) {
    if (sizes.length < 2 || sizes.some((size, i) => !Number.isSafeInteger(size) || size < 1 || size <= (sizes[i - 1] ?? 0))) throw new Error(`${noun}: ${sizes.join(", ") || "none"} (must be two or more positive integers, ascending)`);
  }
  for (const config of configs) resolveMethod(config);
  const time = new Date().toISOString();
  const models = new Map<number, string>();
  for (const depth of depths) {
    const file = join(folder, "models", `blocks-${depth}.json`);
    await writeOutput(file, formatJson({ ...SHAPE, num_hidden_layers: depth }));
    models.set(depth, `synthetic:${relative(process.cwd(), file) || file}`);
  }
  const all = ["baseline", ...configs.filter((config) => config !== "baseline")];
  const rows: GrowthRow[] = [];
  // Time goes with length and depth; and as long as it is not known better, each cell is taken for its share of the two together.
  const parts = [...lengths.map((length) => ({ depth: depths[0]!, length })), ...depths.filter((_, i) => i > 0 || !lengths.includes(depthLength)).map((depth) => ({ depth, length: depthLength }))];
  const work = parts.map(({ depth, length }) => depth * length);
  const total = work.reduce((sum, each) => sum + each, 0);
  let done = 0;
  for (const [i, { depth, length }] of parts.entries()) {
    const share = (part: number) => (done + part * work[i]!) / total;
    const options: SweepOptions = {
      models: [models.get(depth)!], lengths: [length], configs: all, dtypes: ["fp32"], scorers: ["norm"], repeats, warmup: 1, maxNewTokens: NEW_TOKENS, folder,
      ...(threads !== undefined && { threads: [threads] }), ...(signal && { signal }), retryFailed: true,
      onProgress: (progress) => onProgress?.(share(progress.share), `${depth} blocks, ${length} tokens: ${progress.label}`),
    };
    for await (const row of sweep(options)) {
      if (row.error !== null) throw new Error(`growth: ${depth} blocks, ${length} tokens, ${row.config}: ${row.error}`);
      rows.push({ ...row, depth });
      onRow?.({ ...row, depth });
    }
    done += work[i]!;
  }
  const at = { length: rows.filter(({ depth }) => depth === depths[0]), depth: rows.filter(({ length }) => length === depthLength) };
  const growth = all.flatMap((config) => (["length", "depth"] as const).flatMap((by) => quantities.map((quantity) => grown(at[by].filter((row) => row.config === config), { config, by, quantity }))));
  return { schema_version: 1, environment: await measuredEnvironment(), time, threads: rows[0]!.threads, repeats, lengths, depths, depth_length: depthLength, shape: SHAPE, growth, rows };
}

/** @param rows of one configuration, of several sizes */
function grown(rows: readonly GrowthRow[], { config, by, quantity }: Pick<Growth, "config" | "by" | "quantity">): Growth {
  const points = rows.map((row): [number, number] => [row[by], row[quantity]!]);
  const counted = rows.map((row): [number, number] => [row[by], operations(row, quantity)]);
  const timed = quantity === "prefill_seconds" || quantity === "tpot_seconds";
  return { config, by, quantity, points, ...fitPower(points), flops: timed ? fitPower(counted).exponent : null };
}

/** Of the prefill, or of all decode runs: exponents are the same for one of them. */
function operations({ config, entry }: SweepRow, quantity: Quantity): number {
  const measured = (config === "baseline" ? entry!.baseline : (entry as { sdtp: EndToEndMeasurement }).sdtp) as EndToEndMeasurement;
  const { prefill, end2end } = measured.flops!.exact!;
  return quantity === "tpot_seconds" ? end2end! - prefill : prefill;
}
