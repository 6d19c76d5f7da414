import type { Job } from "bullmq";
import { measureCell } from "../bench/sweep/measure.js";
import { hasFailed, type StoredCell, SweepStore } from "../bench/sweep/store.js";
import { clockOffset } from "./clock.js";
import type { Done, PerformOptions } from "./done.js";
import { parseJob, Refusal, timedJob } from "./jobs.js";
import { getPrompt } from "./prompts.js";
import type { Kind } from "./queues.js";
import { performQuality } from "./quality.js";
import { prepareTimed } from "./timed.js";

/** Does a job by its name. @throws AbortError alone */
export async function perform(kind: Kind, job: Job, options: PerformOptions): Promise<Done> {
  try {
    if (job.name !== kind) throw new Refusal(`job: ${job.name} (is not known: this worker does ${kind} jobs in this queue)`);
    return await (kind === "timed" ? performTimed(job, options) : performQuality(job, options));
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    return { error: (error as Error).message, refusal: error instanceof Refusal };
  }
}

async function performTimed(job: Job, { placement, allowed, folder, machine, redis, prefix, signal, onStart, onProgress, onMessage }: PerformOptions): Promise<Done> {
  const data = parseJob(timedJob, job.data);
  if (data.refusals.some((refusal) => refusal.machine === machine)) return { error: data.refusals.find((refusal) => refusal.machine === machine)!.error, refusal: true };
  const cell = await prepareTimed(job.id!, data, { placement, allowed, signal, prompt: (hash) => getPrompt(redis, prefix, hash) });
  const store = new SweepStore(folder);
  const found = await store.read(cell).catch(() => null);
  // Measured before, and the queue did not get it: nothing is measured twice.
  if (found && !hasFailed(found)) return { result: found };
  onStart();
  let done = 0;
  const stored = await measureCell(cell, {
    signal, placement, machine, clockOffset: await clockOffset(redis), timeoutSeconds: data.timeoutSeconds ?? undefined,
    onRun: (cost, label) => onProgress(Math.min(1, (done += cost) / cell.cost), label),
  });
  if (!hasFailed(stored)) await store.write(cell, stored).catch((error: Error) => onMessage(`${error.message}; the result goes to the queue all the same`));
  return hasFailed(stored) ? { error: firstError(stored), refusal: false, outcome: stored } : { result: stored };
}

function firstError({ rows }: StoredCell): string {
  const failed = rows.find(({ error }) => error !== null)!;
  return `${failed.config}: ${failed.error}`;
}
