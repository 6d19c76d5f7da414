import type { Model } from "../runtime/model.js";
import type { Run } from "../runtime/run.js";
import { measuredEnvironment, type Environment } from "./environment.js";
import { prompt } from "./prompt.js";
import { percentiles } from "./latency.js";
import type { PercentilesRecord } from "./record.js";
import { median } from "./statistics.js";

export interface BatchBenchOptions {
  /** Sequences that go together, each a measurement; 1 is always among them. */
  readonly sequences: readonly number[];
  /** Tokens of the longest prompt; the shortest has half of them. */
  readonly length: number;
  /** Tokens of each sequence in one measurement. */
  readonly newTokens: number;
  /** Times that each is measured, in turn. */
  readonly rounds: number;
  readonly signal: AbortSignal;
  readonly onProgress: (share: number, label: string) => void;
}

/** One number of sequences. */
export interface BatchBenchRow {
  readonly sequences: number;
  /** Tokens a second of all sequences together, of each round. */
  readonly tokens_per_second: readonly number[];
  /** Inter-token latency of each sequence: of all runs of all rounds, each of which gives every sequence a token. */
  readonly itl_seconds: PercentilesRecord;
  /** Of each round: tokens a second beside those of one sequence in the same round. */
  readonly ratios: readonly number[];
  /** Largest difference of any logit from those of the same sequence decoded alone, through the graph for one. */
  readonly largest_difference: number;
}

export interface BatchBench {
  readonly model_id: string;
  readonly dtype: string;
  readonly compute_dtype: string;
  readonly environment: Environment;
  readonly threads: number | null;
  readonly prompt_lengths: readonly number[];
  readonly new_tokens: number;
  /** Time to first token, each prompt by itself, in the order of `prompt_lengths`. */
  readonly ttft_seconds: readonly number[];
  readonly rows: readonly BatchBenchRow[];
  /** Resident memory after each, bytes. */
  readonly memory: { readonly prompts: number; readonly with_batch_graph: number; readonly with_graph_for_one: number };
}

/**
 * Tokens a second of so many sequences in one run of the model, beside one sequence in the same graph: measured in turn, so that what else the machine does
 * falls on all of them. Sampling is not part of it: each sequence goes on with its prompt's text.
 * @throws where the model or its device decodes no sequences together
 */
export async function benchBatch(model: Model, { sequences, length, newTokens, rounds, signal, onProgress }: BatchBenchOptions): Promise<BatchBench> {
  if (!model.together) throw new Error(`bench batch: ${model.name} on ${model.device} (sequences go together on the CPU alone, and not with ALiBi)`);
  const sizes = [...new Set([1, ...sequences])].sort((a, b) => a - b);
  const slots = sizes.at(-1)!;
  const lengths = Array.from({ length: slots }, (_, i) => Math.max(1, Math.round(length * (1 - i / (2 * slots)))));
  const { ids } = await prompt(model.checkpoint, length + newTokens + slots);
  const runs: Run[] = [];
  for (const [i, n] of lengths.entries()) {
    signal.throwIfAborted();
    onProgress(0, `prompt ${i + 1} of ${slots}`);
    runs.push(await model.prefill(ids.slice(i, i + n), { reserve: newTokens, signal }));
  }
  const tokensOf = (i: number) => ids.slice(i + lengths[i]!, i + lengths[i]! + newTokens);
  const prompts = process.memoryUsage.rss();
  await model.warmTogether(slots);
  const withBatch = process.memoryUsage.rss();
  const speeds = sizes.map((): number[] => []);
  const steps = sizes.map((): number[] => []);
  const last: Float32Array[][] = sizes.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    for (const turn of sizes.keys()) {
      // Another one begins each round.
      const at = (turn + round) % sizes.length;
      const size = sizes[at]!;
      signal.throwIfAborted();
      onProgress((round + turn / sizes.length) / (rounds + 1), `${size} ${size === 1 ? "sequence" : "sequences"}`);
      const own = runs.slice(0, size).map((run) => run.fork());
      const took: number[] = [];
      for (let t = 0; t < newTokens; t++) {
        const started = performance.now();
        const given = await model.extendTogether(own.map((run, i) => ({ run, tokens: [tokensOf(i)[t]!] })), slots);
        took.push((performance.now() - started) / 1e3);
        for (const each of given) if (each instanceof Error) throw each;
      }
      // The first round warms up.
      if (round > 0) {
        speeds[at]!.push((size * newTokens) / took.reduce((sum, seconds) => sum + seconds, 0));
        steps[at]!.push(...took);
      }
      last[at] = own.map((run) => run.logits.slice());
      for (const run of own) run.dispose();
    }
  }
  const alone: Float32Array[] = [];
  for (const [i, run] of runs.entries()) {
    const own = run.fork();
    for (const id of tokensOf(i)) await own.extend([id]);
    alone.push(own.logits.slice());
    own.dispose();
  }
  const rows = sizes.map((size, at): BatchBenchRow => ({
    sequences: size,
    tokens_per_second: speeds[at]!,
    itl_seconds: percentiles(steps[at]!),
    ratios: speeds[at]!.map((speed, round) => speed / speeds[0]![round]!),
    largest_difference: Math.max(...last[at]!.map((logits, i) => logits.reduce((most, x, j) => Math.max(most, Math.abs(x - alone[i]![j]!)), 0))),
  }));
  return {
    model_id: model.name, dtype: model.dtype, compute_dtype: model.computeDtype, environment: await measuredEnvironment(model.device), threads: model.threads ?? null, prompt_lengths: lengths, new_tokens: newTokens, ttft_seconds: runs.map(({ prefillSeconds }) => prefillSeconds), rows,
    memory: { prompts, with_batch_graph: withBatch, with_graph_for_one: process.memoryUsage.rss() },
  };
}

/** The middle of a row's ratios. */
export const medianRatio = ({ ratios }: BatchBenchRow): number => median(ratios);
