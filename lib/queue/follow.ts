import type { Job, Queue, QueueEvents } from "bullmq";
import { unlessAborted } from "../ambient-signal.js";
import type { Connection } from "./connection.js";
import { jobProgress, type JobProgress } from "./jobs.js";
import { pause } from "./pause.js";
import { presentWorkers } from "./presence.js";
import { unpackedResult } from "./result.js";
import { unread } from "./unreadable.js";
import { type Kind, openEvents, openQueue } from "./queues.js";

/** A job to be filed. Its id is the hash of what it is: filed twice it is there once, whoever files it. */
export interface Filing {
  readonly id: string;
  readonly kind: Kind;
  readonly device: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** How a job ended. */
export type Ended =
  | { readonly id: string; readonly result: unknown }
  | { readonly id: string; readonly error: string; readonly outcome: unknown; /** How many machines it failed on, or was refused by. */ readonly machines: number };

export interface FollowOptions {
  /** File those again that failed before. */
  readonly retryFailed: boolean;
  /** Puts on the server what jobs refer to; done again where it has lost them. */
  readonly prepare?: () => Promise<void>;
  readonly onStart?: (id: string) => void;
  readonly onProgress?: (id: string, progress: JobProgress) => void;
  /** A job went back to wait: its worker was lost, or refused it. */
  readonly onBack?: (id: string) => void;
  readonly onEnd: (ended: Ended) => Promise<void>;
  readonly onMessage?: (message: string) => void;
  /** Shown where no worker is there. */
  readonly workerCommand: string;
}

/** Jobs are kept after their end, so that nobody files them again; the oldest go beyond so many. By number: clocks differ. */
const KEEP = { count: 50_000 };
/** Failed on one machine, a job goes to the end of the line and is tried on another: `settle` says when it has failed for good. */
const jobOptions = { attempts: 1_000_000, removeOnComplete: KEEP, removeOnFail: KEEP, stackTraceLimit: 1 };

const CHUNK = 200;
/** Milliseconds between two looks at all jobs: what was told while the connection was away, and jobs that the server has lost. */
const LOOK = 5000;

/** Files jobs and follows them to their end. Stops following where it is aborted; jobs stay in the queue. */
export class Following {
  private readonly queues = new Map<string, { queue: Queue; events: QueueEvents }>();
  private readonly left = new Map<string, Filing>();
  private readonly changed = new Set<string>();
  private readonly running = new Set<string>();
  private wake = () => {};
  private saidNoWorker = false;

  constructor(private readonly connection: Connection, private readonly prefix: string, private readonly options: FollowOptions) {}

  /** @throws where the queue's server refuses */
  async file(filings: readonly Filing[], signal?: AbortSignal): Promise<void> {
    // What is asked of a server that is away waits for it, and whoever is stopped does not.
    await unlessAborted(this.put(filings), signal);
  }

  private async put(filings: readonly Filing[]): Promise<void> {
    for (const filing of filings) this.left.set(filing.id, filing);
    for (const { kind, device } of filings) {
      const name = `${kind} ${device}`;
      if (this.queues.has(name)) continue;
      const [queue, events] = [await openQueue(this.connection.redis, this.prefix, kind, device), await openEvents(this.connection.redis, this.prefix, kind, device)];
      this.queues.set(name, { queue, events });
      await events.waitUntilReady();
      this.listen(events);
    }
    await this.options.prepare?.();
    for (const { queue } of this.queues.values()) {
      const own = filings.filter((filing) => this.queueOf(filing) === queue);
      for (let from = 0; from < own.length; from += CHUNK) await this.add(queue, own.slice(from, from + CHUNK));
    }
    if (this.options.retryFailed) await this.eachJob(filings, (job, filing) => this.again(job, filing));
  }

  /** Until all have ended. @throws the signal's reason, and what `onEnd` throws */
  async follow(signal: AbortSignal | undefined): Promise<void> {
    const abort = () => this.wake();
    signal?.addEventListener("abort", abort);
    try {
      for (let looked = -Infinity; this.left.size > 0; ) {
        signal?.throwIfAborted();
        if (performance.now() - looked >= LOOK) {
          await unlessAborted(this.unlessAway(() => this.lookAtAll()), signal);
          looked = performance.now();
        } else {
          const ids = [...this.changed];
          this.changed.clear();
          await unlessAborted(this.unlessAway(() => this.eachJob(ids.flatMap((id) => this.left.get(id) ?? []), (job, filing) => this.look(job, filing)), () => ids.forEach((id) => this.changed.add(id))), signal);
        }
        if (this.left.size > 0 && this.changed.size === 0) await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.max(1, LOOK - (performance.now() - looked)));
          this.wake = () => (clearTimeout(timer), resolve());
          if (this.changed.size > 0 || signal?.aborted) this.wake();
        });
      }
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Takes back the jobs that no worker has begun. @returns how many */
  async withdraw(): Promise<string[]> {
    const back: string[] = [];
    for (const filing of [...this.left.values()]) {
      if (this.running.has(filing.id)) continue;
      // One that is being done cannot be taken back.
      if ((await this.queueOf(filing).remove(filing.id).catch(() => 0)) === 1) {
        this.left.delete(filing.id);
        back.push(filing.id);
      }
    }
    this.wake();
    return back;
  }

  async close(): Promise<void> {
    for (const { queue, events } of this.queues.values()) await Promise.race([Promise.all([events.close(), queue.close()]).catch(() => {}), pause(1000)]);
  }

  private queueOf({ kind, device }: Filing): Queue {
    return this.queues.get(`${kind} ${device}`)!.queue;
  }

  private async add(queue: Queue, filings: readonly Filing[]): Promise<void> {
    await queue.addBulk(filings.map(({ id, kind, data }) => ({ name: kind, data, opts: { ...jobOptions, jobId: id } })));
  }

  private async again(job: Job, { data }: Filing): Promise<void> {
    if (!(await job.isFailed())) return;
    await job.updateData(data);
    // Another coordinator may have asked for it in the same moment.
    await job.retry("failed").catch(async (error: unknown) => {
      if (await job.isFailed()) throw error;
    });
  }

  private listen(events: QueueEvents): void {
    const changed = ({ jobId }: { jobId: string }) => {
      if (!this.left.has(jobId)) return;
      this.changed.add(jobId);
      this.wake();
    };
    events.on("completed", changed);
    events.on("failed", changed);
    events.on("active", ({ jobId }) => this.started(jobId));
    events.on("waiting", ({ jobId }) => this.stopped(jobId));
    events.on("stalled", ({ jobId }) => this.stopped(jobId));
    events.on("progress", ({ jobId, data }) => {
      const progress = jobProgress.safeParse(data);
      if (!this.left.has(jobId) || !progress.success) return;
      this.started(jobId);
      this.options.onProgress?.(jobId, progress.data);
    });
  }

  private started(id: string): void {
    if (!this.left.has(id) || this.running.has(id)) return;
    this.running.add(id);
    this.options.onStart?.(id);
  }

  private stopped(id: string): void {
    if (this.running.delete(id)) this.options.onBack?.(id);
  }

  private async lookAtAll(): Promise<void> {
    for (const { queue } of this.queues.values()) {
      const active = new Set(await queue.getRanges(["active"], 0, -1));
      for (const { id } of this.left.values()) if (active.has(id)) this.started(id);
    }
    const { ended, lost } = await this.states([...this.left.values()]);
    await this.eachJob(ended, (job, filing) => this.look(job, filing));
    if (lost.length > 0) {
      // The server has forgotten them: it was emptied, or started again from an older state.
      for (const { id } of lost) this.stopped(id);
      await this.options.prepare?.();
      for (const { queue } of this.queues.values()) await this.add(queue, lost.filter((filing) => this.queueOf(filing) === queue));
    }
    const devices = new Set([...this.left.values()].map(({ device }) => device));
    const present = await presentWorkers(this.connection.redis, this.prefix);
    const without = [...devices].find((device) => !present.some((worker) => worker.devices.includes(device)));
    if (without !== undefined && !this.saidNoWorker) this.options.onMessage?.(`no worker takes jobs for ${without} yet; on this or any machine: ${this.options.workerCommand}${without === "cpu" ? "" : ` --device ${without}`}`);
    this.saidNoWorker = without !== undefined;
  }

  private async look(job: Job, { id }: Filing): Promise<void> {
    if (job.finishedOn === undefined || !this.left.has(id)) return;
    // Between its end on one machine and another try it has a reason, and is not at its end.
    const failed = job.failedReason !== undefined && job.failedReason !== null && job.returnvalue == null;
    if (failed && !(await job.isFailed())) return;
    this.left.delete(id);
    this.running.delete(id);
    await this.options.onEnd(failed ? { id, error: job.failedReason, outcome: (job.data as { outcome?: unknown } | null)?.outcome, machines: (job.data as { refusals?: unknown[] } | null)?.refusals?.length ?? 0 } : { id, result: await unpackedResult(job.returnvalue) });
  }

  /** Those that have come to an end, once at least, and those that are not there; what they are made of is not asked for. */
  private async states(filings: readonly Filing[]): Promise<{ readonly ended: Filing[]; readonly lost: Filing[] }> {
    const [ended, lost]: [Filing[], Filing[]] = [[], []];
    for (let from = 0; from < filings.length; from += CHUNK) {
      const chunk = filings.slice(from, from + CHUNK);
      const asked = this.connection.redis.pipeline();
      for (const filing of chunk) asked.hmget(`${this.prefix}:${this.queueOf(filing).name}:${filing.id}`, "timestamp", "finishedOn");
      for (const [index, [error, found]] of (await asked.exec())!.entries()) {
        if (error) throw error;
        const [made, finished] = found as (string | null)[];
        if (made === null) lost.push(chunk[index]!);
        else if (finished !== null) ended.push(chunk[index]!);
      }
    }
    return { ended, lost };
  }

  private async eachJob(filings: readonly Filing[], use: (job: Job, filing: Filing) => Promise<void>): Promise<void> {
    for (let from = 0; from < filings.length; from += CHUNK) {
      const chunk = filings.slice(from, from + CHUNK);
      const jobs = await Promise.all(chunk.map((filing) => this.queueOf(filing).getJob(filing.id).catch(unread)));
      for (const [index, job] of jobs.entries()) {
        if (job) await use(job, chunk[index]!);
      }
    }
  }

  /** What the server refuses for the moment is asked again; what `onEnd` throws is not of the server. */
  private async unlessAway(work: () => Promise<void>, later?: () => void): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!/^(MISCONF|LOADING|READONLY|OOM|CLUSTERDOWN|MASTERDOWN|TRYAGAIN)|Connection is closed|Stream isn't writeable/.test((error as Error).message)) throw error;
      later?.();
      this.options.onMessage?.(`queue: ${this.connection.shown}: ${(error as Error).message}; trying again`);
      await pause(2000);
    }
  }
}
