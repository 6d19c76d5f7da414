// The queues of one name on a server: one for each kind of work and device, so that a worker asks only for what it can do.
import type { Queue, QueueEvents, Worker } from "bullmq";
import type { Redis } from "ioredis";
import type { BuiltIn, Provider } from "../runtime/session.js";

export const kinds = ["timed", "quality"] as const;
export type Kind = (typeof kinds)[number];
export const providers = ["cpu", "webgpu", "cuda"] as const satisfies readonly BuiltIn[];

/** The device of a job. @throws on a plugin's provider, which workers are not asked for */
export function queuedDevice(device: Provider): BuiltIn {
  const known = providers.find((each) => each === device);
  if (!known) throw new Error(`device: ${device} (jobs of a queue run on ${providers.join(", ")})`);
  return known;
}

export const defaultQueueName = "sdtp";

/** @throws on a name that keys on the server cannot begin with */
export function requireQueueName(name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) throw new Error(`queue name: ${name} (must be up to 64 letters, digits, ".", "_" and "-")`);
  return name;
}

export const queueOf = (kind: Kind, device: string): string => `${kind}-${device}`;

/** Events that the server keeps, about: those of an ended job have its result in them. Who misses some sees it at the next look at all jobs. */
const EVENTS = 500;

export async function openQueue(redis: Redis, prefix: string, kind: Kind, device: string): Promise<Queue> {
  const { Queue: Opened } = await import("bullmq");
  return quiet(new Opened(queueOf(kind, device), { connection: redis, prefix, streams: { events: { maxLen: EVENTS } } }));
}

export async function openEvents(redis: Redis, prefix: string, kind: Kind, device: string): Promise<QueueEvents> {
  const { QueueEvents: Opened } = await import("bullmq");
  // Its reads block: a connection of its own. Shorter than the time after which silence counts as a cut.
  return quiet(new Opened(queueOf(kind, device), { connection: redis.duplicate(), prefix, blockingTimeout: 5000 }));
}

/** A worker that asks for jobs by hand. @param lockSeconds after which a job of a worker that is gone is given to another */
export async function openWorker(redis: Redis, prefix: string, kind: Kind, device: string, name: string, lockSeconds: number): Promise<Worker> {
  const { Worker: Opened } = await import("bullmq");
  return quiet(new Opened(queueOf(kind, device), null, { connection: redis, prefix, name, autorun: false, lockDuration: 1e3 * lockSeconds, stalledInterval: 1e3 * lockSeconds, maxStalledCount: LOST_WORKERS }));
}

/** So many workers may be lost in the middle of a job before the job counts as what ends them. */
export const LOST_WORKERS = 4;

/** What these say of a lost connection is said once, by `connect`. */
function quiet<T extends { on(event: "error", listener: () => void): unknown }>(opened: T): T {
  opened.on("error", () => {});
  return opened;
}
