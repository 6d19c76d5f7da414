// Who may run on this machine now. Timed work is alone on its device and never beside quality work, whichever workers of this
// machine they belong to: they tell each other by files, which count only while the process that wrote them lives.
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { overlap, parsePlacement, type Placement } from "../bench/placement.js";
import type { Kind } from "./queues.js";

export interface Lease {
  release(): void;
}

interface Holder {
  readonly pid: number;
  /** Tells a process from a later one with its number. */
  readonly started: string | null;
  readonly kind: Kind;
  readonly placement: string;
  /** Waiting timed work keeps new quality work out, so that its turn comes. */
  readonly waits: boolean;
}

const POLL_MILLISECONDS = 50;
const STALE_MILLISECONDS = 5000;

export class Machine {
  private readonly folder: string;
  private next = 0;

  constructor(readonly name: string, root = join(tmpdir(), `sdtp-notebook-${userInfo().uid}`)) {
    this.folder = join(root, encodeURIComponent(name));
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
  }

  /** The right to run, where nothing is in the way now. */
  async tryHold(kind: Kind, placement: Placement): Promise<Lease | null> {
    return this.locked(() => {
      const wanted = this.holder(kind, placement, false);
      return this.others().some((other) => inTheWay(other, wanted)) ? null : this.write(wanted);
    });
  }

  /** The right to run, as soon as it can be had. @throws the signal's reason */
  async hold(kind: Kind, placement: Placement, signal?: AbortSignal): Promise<Lease> {
    const free = await this.tryHold(kind, placement);
    if (free) return free;
    const waiting = await this.locked(() => this.write(this.holder(kind, placement, true)));
    try {
      for (;;) {
        signal?.throwIfAborted();
        const lease = await this.tryHold(kind, placement);
        if (lease) return lease;
        await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
      }
    } finally {
      waiting.release();
    }
  }

  private holder(kind: Kind, { name }: Placement, waits: boolean): Holder {
    return { pid: process.pid, started: startOf(process.pid), kind, placement: name, waits };
  }

  private write(holder: Holder): Lease {
    const file = join(this.folder, `${process.pid}-${this.next++}.json`);
    writeFileSync(file, JSON.stringify(holder));
    return { release: () => rmSync(file, { force: true }) };
  }

  /** Those that live; what the others left is taken away. */
  private others(): Holder[] {
    return readdirSync(this.folder).filter((name) => name.endsWith(".json")).flatMap((name) => {
      const file = join(this.folder, name);
      try {
        const holder = JSON.parse(readFileSync(file, "utf8")) as Holder;
        if (lives(holder)) return [holder];
      } catch {
        // Released meanwhile, or cut short by the end of its process.
      }
      rmSync(file, { force: true });
      return [];
    });
  }

  /**
   * The work is synchronous and takes less than a millisecond: a lock that is seconds old is of a process that was killed in it.
   * A file, not a folder: to remove a folder takes milliseconds on some file systems.
   */
  private async locked<T>(work: () => T): Promise<T> {
    const lock = join(this.folder, "lock");
    for (;;) {
      try {
        closeSync(openSync(lock, "wx"));
        break;
      } catch (error) {
        if (!/^E(EXIST|ISDIR)$/.test((error as NodeJS.ErrnoException).code ?? "")) throw error;
        const made = statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
        if (made !== undefined && Date.now() - made > STALE_MILLISECONDS) rmSync(lock, { recursive: true, force: true });
        else await new Promise((resolve) => setTimeout(resolve, 1 + 4 * Math.random()));
      }
    }
    try {
      return work();
    } finally {
      rmSync(lock, { force: true });
    }
  }
}

/** Whether what runs, or waits, keeps other work from beginning. */
function inTheWay(other: Holder, wanted: Holder): boolean {
  if (other.waits) return other.kind === "timed" && wanted.kind === "quality";
  if (other.kind === "quality" && wanted.kind === "quality") return false;
  if (other.kind !== wanted.kind) return true;
  // The whole processor is under every card too.
  return other.placement === "cpu" || wanted.placement === "cpu" || overlap(parsePlacement(other.placement), parsePlacement(wanted.placement));
}

function lives({ pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return started === startOf(pid);
}

/** When a process started, in ticks since the machine did; null where the system does not say so. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}
