import { decode } from "../runtime/generate.js";
import type { Model } from "../runtime/model.js";
import type { Run } from "../runtime/run.js";
import type { Failure, Job, Measured, Method, RunDone } from "./job.js";
import type { Meter } from "./reading/meter.js";
import type { Span } from "./reading/energy.js";

/** Decoded tokens of a run that does not count: enough to load the graph and touch the cache. */
const WARMUP_TOKENS = 4;

/** One run: its times, and what is known of its caches. */
interface Sample extends Omit<Measured, "prefill" | "perToken" | "spans" | "reading"> {
  readonly prefill: number;
  readonly tokens: readonly number[];
  readonly prefillAt: Span;
  readonly decodeAt: Span | null;
}

/**
 * Measures the methods of a job in turn, A B C A B C, so that what changes with time (heat, other load) meets all
 * of them alike. Timed are the prefill with the compaction of its cache, and each decode run with the update of its
 * cache; tokenising, sampling, loading and the collection of garbage are not. A method that throws is left out from
 * then on.
 * @param job its `model`, `dtype`, `threads` and `seed` are those `model` was loaded with
 * @param meter told where runs begin and end
 */
export async function measure(model: Model, job: Job, onRun: (done: RunDone) => void = () => {}, meter?: Meter): Promise<(Measured | Failure)[]> {
  const samples: Sample[][] = job.methods.map(() => []);
  const errors = new Map<number, string>();
  const pieces: (number | "whole")[] = [];
  for (let round = -job.warmup; round < job.repeats; round++) {
    const counted = round >= 0;
    for (const [index, method] of job.methods.entries()) {
      if (!errors.has(index)) {
        try {
          if (round === -job.warmup) {
            // Settled once: how much memory is free changes, and repeats differ in time and in nothing else.
            pieces[index] = model.plan(job.ids.length, { preset: method.preset, reserve: reserveOf(job), ...(job.piece !== undefined && { piece: job.piece }), ...(method.kvPolicy && { kvPolicy: method.kvPolicy }) }).pieces?.tokens ?? "whole";
            await model.warm(job.ids.length, { preset: method.preset, piece: pieces[index]!, ...(method.scorer !== undefined && { scorer: method.scorer }) });
          }
          const sample = await once(model, job, method, pieces[index]!, counted ? job.maxNewTokens : Math.min(WARMUP_TOKENS, job.maxNewTokens), meter);
          if (counted) samples[index]!.push(checked(sample, samples[index]!.at(0)));
        } catch (error) {
          errors.set(index, (error as Error).message);
        }
      }
      onRun({ method: index, counted });
    }
  }
  return samples.map((runs, index) => {
    const error = errors.get(index);
    if (error !== undefined) return { error };
    const { prefill: _, tokens: __, prefillAt: ___, decodeAt: ____, ...rest } = runs[0]!;
    const spans = { prefill: runs.map(({ prefillAt }) => prefillAt), decode: runs.flatMap(({ decodeAt }) => (decodeAt ? [decodeAt] : [])), tokens: runs.reduce((sum, { tokens }) => sum + tokens.length, 0) };
    return { ...rest, spans, prefill: runs.map(({ prefill }) => prefill), perToken: job.mode === "end2end" ? runs.map(({ tokens }) => tokens) : [] };
  });
}

const reserveOf = ({ mode, maxNewTokens }: Job): number => (mode === "end2end" ? maxNewTokens : 0);

async function once(model: Model, job: Job, { preset, scorer, kvPolicy }: Method, piece: number | "whole", newTokens: number, meter?: Meter): Promise<Sample> {
  const { ids, mode } = job;
  // Where node allows it, garbage of the run before is collected now, not within a timing.
  (globalThis as { gc?: () => void }).gc?.();
  meter?.mark();
  const begun = Date.now();
  const run = await model.prefill(ids, { preset, piece, reserve: reserveOf(job), ...(scorer !== undefined && { scorer }), ...(kvPolicy && { kvPolicy }) });
  const prefilled = Date.now();
  meter?.mark();
  const kvBytesAfterPrefill = run.kv.bytes + run.auxBytes;
  const auxBytesAfterPrefill = run.auxBytes;
  const tokens: number[] = [];
  const decoding = Date.now();
  if (mode === "end2end") {
    for await (const { seconds } of decode(run, { maxNewTokens: newTokens, stopTokens: [], fixedLength: true })) tokens.push(seconds);
  }
  const decoded = Date.now();
  if (mode === "end2end") meter?.mark();
  const held = caches(run);
  run.dispose();
  return { prefill: run.prefillSeconds, tokens, pieceTokens: piece === "whole" ? null : piece, kvBytesAfterPrefill, ...(run.stepCounts && { auxBytesAfterPrefill }), prefillAt: [begun, prefilled], decodeAt: mode === "end2end" ? [decoding, decoded] : null, ...held };
}

/** Lengths are those of the arrays in the caches; what the stages kept is what the graph returned. */
function caches(run: Run) {
  return {
    scorer: run.scorer,
    kvPolicy: run.kvPolicy,
    kvLensAfterPrefill: run.kvLengthsAfterPrefill,
    kvLensFinal: run.kv.lengths,
    kvBytesFinal: run.kv.bytes + run.auxBytes,
    ...(run.stepCounts && { auxBytesFinal: run.auxBytes, stepCounts: run.stepCounts }),
    tokensKept: run.kept.length,
    stages: run.stages.map(({ afterLayer, present, kept }) => ({ afterLayer, present, kept: kept.length })),
  };
}

/** Repeats differ in time and in nothing else. */
function checked(sample: Sample, first: Sample = sample): Sample {
  if (sample.kvLensFinal.join() !== first.kvLensFinal.join()) throw new Error(`KV lengths: ${sample.kvLensFinal.join(", ")} (were ${first.kvLensFinal.join(", ")} in the first repeat)`);
  return sample;
}
