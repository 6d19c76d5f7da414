import type { Job } from "bullmq";
import type { Redis } from "ioredis";
import { jobProgress } from "./jobs.js";
import { type Presence, presentWorkers } from "./presence.js";
import { kinds, openQueue, providers, queueOf } from "./queues.js";
import { readableJobs } from "./unreadable.js";

export interface JobStatus {
  readonly id: string;
  readonly label: string;
  /** Machine that does it, or did, and what it is at. */
  readonly machine: string | null;
  readonly share: number | null;
  readonly at: string | null;
  readonly error: string | null;
  /** Repeats it alone. */
  readonly command: string | null;
}

/** A queue as a whole. */
export interface QueueStatus {
  readonly waiting: number;
  readonly running: readonly JobStatus[];
  readonly done: number;
  readonly failed: readonly JobStatus[];
  readonly failedInAll: number;
  /** From what jobs took so far and the workers there are; null where nothing is known. */
  readonly secondsLeft: number | null;
  readonly workers: readonly Presence[];
}

/** So many jobs are looked at for an estimate, and failed ones shown. */
const SHOWN = 200;

/** Takes back all jobs that no worker has begun. A sweep that follows them files them again. @returns how many */
export async function cancelWaiting(redis: Redis, prefix: string): Promise<number> {
  let count = 0;
  for (const kind of kinds) for (const device of providers) {
    if ((await redis.exists(`${prefix}:${queueOf(kind, device)}:meta`)) === 0) continue;
    const queue = await openQueue(redis, prefix, kind, device);
    try {
      // One by one: a job that a worker takes meanwhile stays its.
      for (const id of await queue.getRanges(["waiting"], 0, -1)) count += await queue.remove(id).catch(() => 0);
    } finally {
      await queue.close();
    }
  }
  return count;
}

/** What is in the queues of this name now. */
export async function queueStatus(redis: Redis, prefix: string): Promise<QueueStatus> {
  const [running, failed]: [JobStatus[], JobStatus[]] = [[], []];
  let [waiting, done, failedInAll, left, spent, cost] = [0, 0, 0, 0, 0, 0];
  for (const kind of kinds) for (const device of providers) {
    // One that nobody has used is not made by looking at it.
    if ((await redis.exists(`${prefix}:${queueOf(kind, device)}:meta`)) === 0) continue;
    const queue = await openQueue(redis, prefix, kind, device);
    try {
      const counts = await queue.getJobCounts("waiting", "active", "completed", "failed");
      waiting += counts["waiting"]!;
      done += counts["completed"]!;
      failedInAll += counts["failed"]!;
      const [active, waits, ended, broken] = [await readableJobs(queue, "active", SHOWN), await readableJobs(queue, "waiting", SHOWN), await readableJobs(queue, "completed", SHOWN), await readableJobs(queue, "failed", SHOWN)];
      running.push(...active.map(statusOf));
      failed.push(...broken.map(statusOf));
      const mean = waits.length > 0 ? waits.reduce((sum, job) => sum + costOf(job), 0) / waits.length : 0;
      left += mean * counts["waiting"]! + active.reduce((sum, job) => sum + costOf(job) * (1 - (statusOf(job).share ?? 0)), 0);
      for (const job of ended) {
        // Both by the clock of the machine that did it. What was found there took no time.
        const seconds = (job.finishedOn! - job.processedOn!) / 1e3;
        spent += seconds;
        cost += costOf(job);
      }
    } finally {
      await queue.close();
    }
  }
  const workers = await presentWorkers(redis, prefix);
  const places = workers.reduce((sum, { placements }) => sum + placements.length, 0);
  const secondsLeft = left === 0 ? 0 : cost > 0 && places > 0 ? (left * spent) / cost / Math.max(1, Math.min(places, waiting + running.length)) : null;
  return { waiting, running, done, failed: failed.slice(0, SHOWN), failedInAll, secondsLeft, workers };
}

/** Quality jobs have no cost of their own: prompts times configurations, in a unit that times say the meaning of. */
function costOf({ data }: Job): number {
  const { cost, items } = (data ?? {}) as { cost?: unknown; items?: unknown };
  return typeof cost === "number" ? cost : (Array.isArray(items) ? items.length : 1) * 1e9;
}

function statusOf(job: Job): JobStatus {
  const { label, command } = (job.data ?? {}) as { label?: unknown; command?: unknown };
  const progress = jobProgress.safeParse(job.progress);
  return {
    id: job.id!, label: typeof label === "string" ? label : job.name, machine: progress.success ? `${progress.data.machine} ${progress.data.placement}` : (job.processedBy ?? null),
    share: progress.success ? progress.data.share : null, at: progress.success ? progress.data.label : null, error: job.failedReason ?? null, command: typeof command === "string" ? command : null,
  };
}
