import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ambientSignal } from "../../ambient-signal.js";
import type { Checkpoint } from "../../checkpoint/types.js";
import type { Method } from "../../methods/method.js";
import { resolveMethod } from "../../methods/resolve.js";
import { presets } from "../../methods/sdtp.js";
import { stagePositions } from "../../methods/plan/stages.js";
import { measuredEnvironment, type Environment } from "../environment.js";
import { prefillFlops } from "../../methods/plan/flops.js";
import { isolate } from "../isolate.js";
import { latencies } from "../latency.js";
import { isFailure, type Job, type Measured } from "../job.js";
import { prompt } from "../prompt.js";
import type { LatencyRecord } from "../record.js";
import { bootstrap, type Interval, median } from "../statistics.js";
import { checkReach } from "../settings.js";
import { openSubject } from "../subject.js";
import { matrixRate, memoryBandwidth } from "./machine.js";
// Imported so that the build puts it beside this file, where `engineModel` points.
import "./model.json" with { type: "json" };

/** 8 blocks, d 512, 8 heads, 4 kv heads of 64, ffn 1408, vocabulary 4096. */
export const engineModel = `synthetic:${fileURLToPath(new URL("./model.json", import.meta.url))}`;

export interface EngineOptions {
  /** Default `engineModel`. */
  readonly model?: string;
  /** Default 2. */
  readonly threads?: number;
  /** Tokens of the prompt that is timed; default 4096. */
  readonly length?: number;
  /** Tokens of the prompt whose peak memory is measured; default 16384. */
  readonly memoryLength?: number;
  /** Runs that count; default 7. */
  readonly repeats?: number;
  /** Decode runs after each prefill; default 32. */
  readonly newTokens?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (share: number, label: string) => void;
}

/** What the engine does, beside what is aimed at. Seconds, bytes, operations. */
export interface EngineResult extends LatencyRecord {
  readonly schema_version: 1;
  readonly model: string;
  readonly synthetic_weights: boolean;
  readonly dtype: string;
  /** See `computeDtype`. */
  readonly compute_dtype: string;
  readonly device: string;
  readonly threads: number;
  readonly length: number;
  readonly memory_length: number;
  readonly repeats: number;
  readonly environment: Environment;
  readonly time: string;
  /** Causal attention counted as half. */
  readonly prefill_flops: number;
  readonly prefill_seconds: number;
  readonly prefill_gflops_per_second: number;
  /** See `matrixRate`: what the machine's matrix products reach alone. */
  readonly matrix_gflops_per_second: number;
  /** See `memoryBandwidth`: over as many bytes as a decode run reads. */
  readonly bandwidth_bytes_per_second: number;
  /** Weights and cache that one decode run reads. */
  readonly decode_bytes: number;
  readonly decode_seconds: number;
  /** `decode_bytes` at the bandwidth measured. */
  readonly decode_read_seconds: number;
  readonly decode_ratio: number;
  readonly peak_memory_bytes: number;
  /** Prefill with stages that keep everything, over prefill without in the same round, minus 1: the median over the rounds. */
  readonly overhead: Readonly<Record<"keep07" | "sdtp", { readonly share: number; readonly interval: Interval }>>;
  readonly samples: { readonly prefill: Readonly<Record<string, readonly number[]>>; readonly decode: readonly number[] };
}

/**
 * The engine's speed in figures that do not depend on the machine as much as seconds do: operations a second in
 * prefill, a decode run against one read of all it needs, peak memory, and what pruning costs where nothing is
 * pruned (stages with trained modules' shapes and r = 1).
 * @throws when a process that measures dies; AbortError on `signal`
 */
export async function benchEngine(options: EngineOptions = {}): Promise<EngineResult> {
  const { model = engineModel, threads = 2, length = 4096, memoryLength = 16384, repeats = 7, newTokens = 32, signal = ambientSignal(), onProgress = () => {} } = options;
  const subject = await openSubject({ model, threads, signal, ...(model.startsWith("synthetic:") && { dtype: "fp32" }), onProgress: (done, all) => onProgress(0, `weights: ${Math.floor((100 * done) / all)} %`) });
  const { checkpoint } = subject;
  const { config } = checkpoint;
  for (const n of [length, memoryLength]) checkReach([n], { mode: "end2end", maxNewTokens: newTokens }, config.maxPositions);
  const time = new Date().toISOString();
  const matrix = await matrixRate({ threads });
  onProgress(0.05, "matrix products");

  const whole = [wholePreset(presets.keep07), wholePreset(presets.sdtp)] as const;
  const folder = await mkdtemp(join(tmpdir(), "sdtp-engine-"));
  try {
    const modules = join(folder, "modules.safetensors");
    const layers = [...new Set(whole.flatMap((preset) => stagePositions(preset, config.layers)))].sort((a, b) => a - b);
    const { writeRandomModules } = await import("./modules.js");
    await writeRandomModules(modules, config, layers);

    const ids = (await prompt(checkpoint, Math.max(length, memoryLength))).ids;
    const job: Job = {
      model: checkpoint.name, dtype: subject.dtype, threads, seed: 0, mode: "end2end", ids: ids.slice(0, length), repeats, warmup: 1, maxNewTokens: newTokens,
      methods: [{ preset: resolveMethod("baseline") }, ...whole.map((preset) => ({ preset, scorer: `learned:${modules}` }))],
    };
    let runs = 0;
    const { methods } = await isolate(job, { signal, onRun: () => onProgress(0.05 + (0.85 * ++runs) / (job.methods.length * (repeats + 1)), `${length} tokens`) });
    const [baseline, keep07, sdtp] = methods.map((result) => (isFailure(result) ? fail(result.error) : result)) as [Measured, Measured, Measured];
    const memory = await isolate({ ...job, ids: ids.slice(0, memoryLength), methods: job.methods.slice(0, 1), repeats: 1, warmup: 0 }, { signal });
    for (const result of memory.methods) if (isFailure(result)) fail(result.error);
    onProgress(1, `${memoryLength} tokens`);

    const prefill = median(baseline.prefill);
    const flops = prefillFlops({ config, stages: [], n: length, counting: "exact" });
    const decode = baseline.perToken.flat();
    // Between the first and the last decode run the cache grows by as many tokens: taken at the middle.
    const bytes = decodedWeights(checkpoint) + (baseline.kvBytesAfterPrefill + baseline.kvBytesFinal) / 2;
    const bandwidth = await memoryBandwidth({ threads, bytes });
    // Each against the baseline of its own round: a load that comes and goes meets both.
    const overhead = (pruned: Measured) => {
      const shares = pruned.prefill.map((seconds, round) => seconds / baseline.prefill[round]! - 1);
      return { share: median(shares), interval: bootstrap(shares, median) };
    };
    return {
      schema_version: 1,
      model: checkpoint.name === engineModel ? "synthetic: 8 blocks, d 512" : checkpoint.name,
      synthetic_weights: checkpoint.synthetic, dtype: subject.dtype, compute_dtype: subject.computeDtype, device: subject.device, threads, length, memory_length: memoryLength, repeats,
      environment: await measuredEnvironment(subject.device), time,
      ...latencies(baseline.prefill, baseline.perToken),
      prefill_flops: flops, prefill_seconds: prefill, prefill_gflops_per_second: flops / prefill / 1e9, matrix_gflops_per_second: matrix / 1e9,
      bandwidth_bytes_per_second: bandwidth, decode_bytes: bytes,
      decode_seconds: median(decode), decode_read_seconds: bytes / bandwidth, decode_ratio: median(decode) / (bytes / bandwidth),
      peak_memory_bytes: memory.peakMemory,
      overhead: { keep07: overhead(keep07), sdtp: overhead(sdtp) },
      samples: { prefill: { baseline: baseline.prefill, keep07: keep07.prefill, sdtp: sdtp.prefill }, decode },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A preset's stages with r = 1: all the work of pruning, and nothing pruned. */
function wholePreset({ name, stages, baseDepth, kvPolicy }: Method): Method {
  return resolveMethod({ name: `${name}-r1`, stages: stages.map(({ afterBlock }) => ({ afterBlock, ratio: 1 })), baseDepth, kvPolicy });
}

/** Bytes of weights that one decode run reads: all but the embedding's other rows, in the float32 they are computed in. */
function decodedWeights({ config, tensors }: Checkpoint): number {
  let elements = config.hiddenSize;
  for (const { name, shape } of tensors.values()) {
    if (name !== "model.embed_tokens.weight" || config.tiedEmbeddings) elements += shape.reduce((a, b) => a * b, 1);
  }
  return 4 * elements;
}

function fail(error: string): never {
  throw new Error(`engine: ${error}`);
}
