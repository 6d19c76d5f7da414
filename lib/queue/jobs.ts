// What goes through a queue: named jobs with plain data, checked on both sides. A worker runs what it knows by name, never code.
import { z } from "zod";
import { kvDtypes } from "../checkpoint/kv-dtype.js";
import type { UserMethod } from "../methods/method.js";
import { providers } from "./queues.js";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().min(0).max(1e9);
const name = z.string().min(1).max(4096);
const kvPolicy = z.enum(["evict", "retain"]);
/** A method as it is written, or one of the user's, which `resolveMethod` checks. */
const preset = z.union([z.string().min(1).max(200), z.looseObject({ name: z.string().min(1).max(200) })]).transform((value) => value as string | (UserMethod & { readonly name: string }));

/** A path where the one who filed the job has it; null for what has a name everywhere. */
const path = name.nullable();

/** What a machine could not do, and why. */
export const refusal = z.strictObject({ machine: name, error: z.string().max(4000) });

const common = {
  /** As it was asked for, and as it stands in rows. */
  model: name,
  modelPath: path,
  dtype: name.nullable(),
  kvDtype: z.enum(kvDtypes),
  device: z.enum(providers),
  /** Null: one a physical core of the machine that takes it. */
  threads: z.number().int().min(1).max(4096).nullable(),
  seed: count,
  label: z.string().max(1000),
  /** Shows where it is to be repeated alone; nothing that a worker runs. */
  command: z.string().max(20000).nullable(),
  timeoutSeconds: z.number().positive().nullable(),
  refusals: z.array(refusal).max(1000),
  /** How often all workers there were had refused it. */
  rounds: count,
  /** What there is of it where it ended with errors. */
  outcome: z.unknown().optional(),
};

/** The baseline and all configurations at one length, measured in turn. */
export const timedJob = z.strictObject({
  ...common,
  presets: z.array(preset).min(1).max(1000),
  asked: z.array(name).max(1000),
  scorer: name.nullable(),
  scorerPath: path,
  kvPolicy: kvPolicy.nullable(),
  /** The longest prompt of the sweep, which this one is the beginning of. */
  prompt: z.strictObject({ hash: sha256, source: name, length: z.number().int().min(1).max(2 ** 24) }),
  memory: z.boolean(),
  mode: z.enum(["prefill", "end2end"]),
  repeats: z.number().int().min(1).max(1e6),
  warmup: z.number().int().min(0).max(1e6),
  maxNewTokens: z.number().int().min(1).max(1e7),
  cost: z.number().nonnegative(),
  /** Of which the job's id is the hash. */
  identity: z.record(z.string(), z.unknown()),
});
export type TimedJob = z.infer<typeof timedJob>;

/** One task on some of its prompts. */
export const qualityJob = z.strictObject({
  ...common,
  task: z.strictObject({ name, settings: z.record(z.string(), z.unknown()), metric: name, better: z.enum(["higher", "lower"]) }),
  /** Of the prompts' data, as text. */
  prompts: sha256,
  /** What they are in tokens where the job comes from. */
  tokens: sha256,
  items: z.array(name).min(1).max(10000),
  configurations: z.array(z.strictObject({ preset, scorer: name.nullable(), scorerPath: path, kvPolicy })).min(1).max(1000),
});
export type QualityJob = z.infer<typeof qualityJob>;

/** What is done of a job, as it goes. */
export const jobProgress = z.object({ machine: z.string(), placement: z.string(), share: z.number().min(0).max(1), label: z.string() });
export type JobProgress = z.infer<typeof jobProgress>;

/** @throws with the first field that is wrong */
export function parseJob<T>(schema: z.ZodType<T>, data: unknown): T {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new Refusal(`job: ${issue.path.join(".") || "its data"} (${issue.message})`);
}

/** Why this machine does not do a job that another may do. */
export class Refusal extends Error {
  override name = "Refusal";
}
