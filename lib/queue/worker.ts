import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import type { Job, Queue, Worker } from "bullmq";
import { isAbort, unlessAborted } from "../ambient-signal.js";
import { machineName } from "../bench/machine.js";
import { parsePlacements, type Placement } from "../bench/placement.js";
import { type Connection, connect } from "./connection.js";
import type { Done } from "./done.js";
import { perform } from "./perform.js";
import { type Lease, Machine } from "./lease.js";
import { Heart, presentWorkers } from "./presence.js";
import { type Kind, openQueue, openWorker, requireQueueName } from "./queues.js";
import { pause } from "./pause.js";
import { giveBack, settle } from "./settle.js";
import { failUnreadable, notJson, unread } from "./unreadable.js";

export interface WorkerOptions {
  /** URL of the queue. */
  readonly url: string;
  readonly queueName: string;
  /** Devices of this machine, one job at a time on each; default `cpu`. */
  readonly placements?: readonly string[];
  /** Folders that jobs may use models of; default none but what needs no path. */
  readonly allowed?: readonly string[];
  /** Where measured cells are kept, so that none is measured twice should the queue not get it; default results/worker. */
  readonly folder: string;
  /** Quality jobs at once, beside which nothing is timed; default 1. */
  readonly qualityJobs?: number;
  /** After which a job of a worker that is gone is given to another; default 30. */
  readonly lockSeconds?: number;
  /** Ends after this time without work; default: never. */
  readonly idleSeconds?: number;
  /** Milliseconds between two looks for work; default 500. */
  readonly pollMilliseconds?: number;
  /** What this machine is called; default its own name. */
  readonly machine?: string;
  /** How a job is done; default by its name. Simulations wait instead. */
  readonly doJob?: typeof perform;
  readonly onMessage?: (message: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What a worker did. */
export interface WorkerEnd {
  readonly done: number;
  readonly failed: number;
}

/** One place of the machine that takes jobs, one at a time. */
interface Slot {
  readonly placement: Placement;
  readonly kinds: readonly Kind[];
  /** Of what it had a job last. */
  had?: Kind | undefined;
}

/** Milliseconds that a worker looks away after it has refused a job, so that others have it; doubled each time. */
const LOOK_AWAY = [250, 2000] as const;

/**
 * Takes jobs off a queue until it is stopped: timed ones alone on their device, quality ones beside each other.
 * @throws where the queue cannot be reached at the start, or on bad input; AbortError never: to be stopped is its usual end
 */
export async function work(options: WorkerOptions): Promise<WorkerEnd> {
  const { url, queueName, placements: names = ["cpu"], qualityJobs = 1, idleSeconds = Infinity, onMessage, signal } = options;
  const prefix = requireQueueName(queueName);
  // Each of its slots listens to it.
  if (signal) setMaxListeners(0, signal);
  const placements = parsePlacements(names);
  if (placements.length === 0) throw new Error("devices: none (give at least one)");
  const machine = new Machine(options.machine ?? machineName());
  const connection = await connect(url, { signal, ...(onMessage && { onState: onMessage }) });
  const self = new Serving(options, connection, prefix, machine, placements);
  try {
    await self.open();
    onMessage?.(`${machine.name}: ${names.join(", ")}; waits for jobs of ${prefix} on ${connection.shown}`);
    const slots: Slot[] = [
      ...placements.map((placement): Slot => ({ placement, kinds: ["timed", "quality"] })),
      ...Array.from({ length: Math.max(0, qualityJobs - placements.length) }, (_, i): Slot => ({ placement: placements[i % placements.length]!, kinds: ["quality"] })),
    ];
    let lastWork = performance.now();
    await Promise.all(slots.map(async (slot) => {
      while (!signal?.aborted) {
        if (await self.takeOne(slot)) lastWork = performance.now();
        else if (self.busy) lastWork = performance.now();
        else if ((performance.now() - lastWork) / 1e3 >= idleSeconds) return;
      }
    }));
    return { done: self.done, failed: self.failed };
  } finally {
    await self.close();
    await connection.close();
  }
}

function labelOf({ id, data }: Job): string {
  return String((data as { label?: unknown } | null)?.label ?? id);
}

class Serving {
  done = 0;
  failed = 0;
  readonly id = randomUUID();
  private readonly queues = new Map<string, { queue: Queue; worker: Worker }>();
  private readonly doing = new Map<string, string>();
  private readonly heart: Heart;
  private refusedInARow = 0;

  constructor(readonly options: WorkerOptions, readonly connection: Connection, readonly prefix: string, readonly machine: Machine, readonly placements: readonly Placement[]) {
    this.heart = new Heart(connection.redis, prefix, () => ({
      id: this.id, machine: machine.name, pid: process.pid, placements: placements.map(({ name }) => name), devices: this.devices(), doing: Object.fromEntries(this.doing),
    }));
  }

  get busy(): boolean {
    return this.doing.size > 0;
  }

  private devices(): string[] {
    return [...new Set(this.placements.map(({ device }) => device))];
  }

  async open(): Promise<void> {
    for (const device of this.devices()) for (const kind of ["timed", "quality"] as const) {
      const worker = await openWorker(this.connection.redis, this.prefix, kind, device, this.machine.name, this.options.lockSeconds ?? 30);
      // Jobs of workers that are gone come back by this.
      await worker.startStalledCheckTimer();
      this.queues.set(`${kind} ${device}`, { worker, queue: await openQueue(this.connection.redis, this.prefix, kind, device) });
    }
    await this.heart.start();
  }

  async close(): Promise<void> {
    await this.heart.stop();
    for (const { queue, worker } of this.queues.values()) await Promise.race([Promise.all([worker.close(true), queue.close()]).catch(() => {}), pause(1000)]);
  }

  /** @returns whether there was a job; where not, some time has passed */
  async takeOne(slot: Slot): Promise<boolean> {
    const { signal, pollMilliseconds = 500 } = this.options;
    for (const kind of slot.kinds) {
      // Where there was work, there is likely more: it is asked for at once.
      const eager = slot.had === kind;
      slot.had = undefined;
      const { queue, worker } = this.queues.get(`${kind} ${slot.placement.device}`)!;
      try {
        if (!eager && (await unlessAborted(queue.getJobCountByTypes("waiting"), signal)) === 0) continue;
        const lease = kind === "timed" ? await this.machine.hold(kind, slot.placement, signal) : await this.machine.tryHold(kind, slot.placement);
        if (!lease) continue;
        if (await this.take(kind, slot, queue, worker, lease)) {
          slot.had = kind;
          return true;
        }
      } catch (error) {
        if (signal?.aborted) return false;
        this.say(`queue: ${this.connection.shown}: ${(error as Error).message}; trying again`);
        await pause(2000, signal);
      }
    }
    await pause(pollMilliseconds * (0.5 + Math.random()), signal);
    return false;
  }

  private async take(kind: Kind, slot: Slot, queue: Queue, worker: Worker, lease: Lease): Promise<boolean> {
    try {
      const token = randomUUID();
      const job = await unlessAborted(worker.getNextJob(token, { block: false }), this.options.signal).catch(async (error: unknown) => {
        unread(error);
        this.say(`refused: ${await failUnreadable(this.connection.redis, queue, this.prefix, token)}: ${notJson}`);
      });
      if (!job) return false;
      const place = `${slot.placement.name}${slot.kinds.length > 1 ? "" : " (quality)"}`;
      this.doing.set(place, labelOf(job));
      void this.heart.beat().catch(() => {});
      try {
        await this.serve(kind, slot.placement, queue, job, token);
      } finally {
        this.doing.delete(place);
      }
      return true;
    } finally {
      lease.release();
    }
  }

  private async serve(kind: Kind, placement: Placement, queue: Queue, job: Job, token: string): Promise<void> {
    const { signal, lockSeconds = 30 } = this.options;
    const label = labelOf(job);
    const stop = new AbortController();
    const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    // The work itself is in another process: this thread is free to say that it goes on.
    const renewal = setInterval(() => void this.renew(job, token, stop), (1e3 * lockSeconds) / 3);
    try {
      const done = await this.attempt(kind, placement, job, both, label);
      if (signal?.aborted) return await giveBack(job, token);
      if (done === "lost") return this.say(`left: ${label} (another worker has it)`);
      const settled = await settle(job, token, done, { machine: this.machine.name, look: () => queue.getJob(job.id!), others: () => this.others(placement), signal, onWait: (message) => this.say(message) });
      if (settled === "refused") {
        this.say(`refused: ${label}: ${(done as { error: string }).error}`);
        await pause(Math.min(LOOK_AWAY[1], LOOK_AWAY[0] * 2 ** this.refusedInARow++), signal);
        return;
      }
      this.refusedInARow = 0;
      if (settled === "completed") this.done++;
      else if (settled === "failed") this.failed++;
      this.say(settled === "completed" ? `done: ${label}` : settled === "failed" ? `failed: ${label}: ${job.failedReason ?? (done as { error: string }).error}` : `left: ${label} (another worker has it, or had; what was measured here is in ${this.options.folder})`);
    } finally {
      clearInterval(renewal);
    }
  }

  private async attempt(kind: Kind, placement: Placement, job: Job, signal: AbortSignal, label: string): Promise<Done | "lost"> {
    const { allowed = [], folder, doJob = perform } = this.options;
    let told = 0;
    try {
      return await unlessAborted(doJob(kind, job, {
        placement, allowed, folder, signal, machine: this.machine.name, redis: this.connection.redis, prefix: this.prefix,
        onStart: () => this.say(`takes: ${label}`), onMessage: (message) => this.say(message),
        onProgress: (share, what) => {
          const now = performance.now();
          if (now - told < 1000 || this.connection.redis.status !== "ready") return;
          told = now;
          void job.updateProgress({ machine: this.machine.name, placement: placement.name, share, label: what }).catch(() => {});
        },
      }), signal);
    } catch (error) {
      if (isAbort(error) && signal.aborted) return "lost";
      throw error;
    }
  }

  /** A lock that is lost to another worker ends the work: its result would be thrown away. */
  private async renew(job: Job, token: string, stop: AbortController): Promise<void> {
    if (this.connection.redis.status !== "ready") return;
    const { lockSeconds = 30 } = this.options;
    const kept = await job.extendLock(token, 1e3 * lockSeconds).catch(() => 0);
    if (Number(kept) === 1 || this.connection.redis.status !== "ready") return;
    const lock = await this.connection.redis.get(`${this.prefix}:${job.queueName}:${job.id}:lock`).catch(() => null);
    if (lock !== null && lock !== token) stop.abort(new DOMException("another worker has the job", "AbortError"));
  }

  /** Machines with a worker for the same device, this one aside. */
  private async others({ device }: Placement): Promise<string[]> {
    const present = await presentWorkers(this.connection.redis, this.prefix);
    return [...new Set(present.filter(({ devices, machine }) => devices.includes(device) && machine !== this.machine.name).map(({ machine }) => machine))];
  }

  private say(message: string): void {
    this.options.onMessage?.(message);
  }
}
