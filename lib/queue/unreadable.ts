// Jobs that somebody put on the server by hand: what is no JSON cannot even be made a job of, and must not be in the way of the others.
import type { Job, Queue } from "bullmq";
import type { Redis } from "ioredis";

export const notJson = "job: its data (is not JSON)";

/** Jobs that can be read, of those in a state. */
export async function readableJobs(queue: Queue, state: "active" | "waiting" | "completed" | "failed", most: number): Promise<Job[]> {
  const ids = await queue.getRanges([state], 0, most - 1);
  const jobs = await Promise.all(ids.map((id) => queue.getJob(id).catch(unread)));
  return jobs.filter((job) => job !== undefined);
}

/** A job that a worker was given under this token and could not read is failed for good, its data replaced. @returns its id; null where there is none */
export async function failUnreadable(redis: Redis, queue: Queue, prefix: string, token: string): Promise<string | null> {
  const ids = await queue.getRanges(["active"], 0, -1);
  for (const id of ids) {
    const key = `${prefix}:${queue.name}:${id}`;
    if ((await redis.get(`${key}:lock`)) !== token) continue;
    await redis.hset(key, { data: "{}", opts: JSON.stringify({ attempts: 1 }) });
    const job = await queue.getJob(id);
    if (!job) return null;
    const { UnrecoverableError } = await import("bullmq");
    await job.moveToFailed(new UnrecoverableError(notJson), token, false);
    return id;
  }
  return null;
}

/** What is no JSON is no job; anything else is the server's. */
export function unread(error: unknown): undefined {
  if (error instanceof SyntaxError) return undefined;
  throw error;
}
