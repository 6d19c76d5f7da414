import { randomBytes } from "node:crypto";
import { methodRecord, type Method } from "../methods/method.js";
import { measuredEnvironment, type Environment } from "./environment.js";
import type { Measured } from "./job.js";
import type { Prompt } from "./prompt.js";
import type { Metadata } from "./record.js";
import type { MeasureSettings } from "./settings.js";
import type { Subject } from "./subject.js";

/** What the files of one run have in common. */
export interface RunFacts {
  readonly subject: Subject;
  readonly modelHash: string;
  readonly settings: MeasureSettings;
  readonly prompt: Pick<Prompt, "source" | "hash">;
  readonly environment: Environment;
  /** ISO 8601. */
  readonly time: string;
  /** Tells runs apart. */
  readonly run: string;
}

export async function runFacts(subject: Subject, settings: MeasureSettings, prompt: Prompt): Promise<RunFacts> {
  return {
    subject,
    modelHash: await subject.checkpoint.hash(),
    settings,
    prompt: { source: prompt.source, hash: prompt.hash },
    environment: await measuredEnvironment(subject.device),
    ...newRun(),
  };
}

/** Time and name of a run that begins now. */
export function newRun(now = new Date()): Pick<RunFacts, "time" | "run"> {
  const time = now.toISOString();
  return { time, run: `${time.slice(0, 19)}-${randomBytes(4).toString("hex")}` };
}

/** @param scorer as it was asked for, which may say more than its name (`random:3`) */
export function metadataOf({ subject, modelHash, settings, prompt, environment, time, run }: RunFacts, preset: Method, measured: Pick<Measured, "scorer" | "kvPolicy">, scorer?: string): Metadata {
  const { checkpoint, dtype, computeDtype, kvDtype, device, threads, seed, scorerKey } = subject;
  return {
    benchmark_mode: settings.mode,
    config: preset.name,
    model: checkpoint.name,
    synthetic_weights: checkpoint.synthetic,
    dtype,
    compute_dtype: computeDtype,
    kv_dtype: kvDtype,
    device,
    threads,
    scorer: measured.scorer === null ? null : (scorer ?? measured.scorer),
    ...(measured.scorer !== null && { scorer_key: scorer === undefined ? (preset.scorer ?? scorerKey) : scorerKey }),
    kv_policy: measured.kvPolicy,
    ...(settings.mode === "end2end" && { max_new_tokens: settings.maxNewTokens }),
    repeats: settings.repeats,
    warmup: settings.warmup,
    seed,
    model_hash: modelHash,
    preset: { name: preset.name, ...methodRecord(preset) },
    prompt,
    ...environment,
    time,
    run,
  };
}
