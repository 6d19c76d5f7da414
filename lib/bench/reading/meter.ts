import { type ChildProcess, spawn } from "node:child_process";
import { bytesOf, chosenCard, lookForCards, numberOf, type Card } from "../../runtime/devices/nvidia-smi.js";
import type { Provider } from "../../runtime/session.js";
import { Rapl } from "./rapl.js";
import { DeviceReadings, type CardSample, type ProcessSample } from "./readings.js";

export interface MeterOptions {
  readonly device: Provider;
  /** Milliseconds between two samples of a card; default 100. */
  readonly interval?: number;
  /** Whose memory on the card is looked for; default: this process. */
  readonly pid?: number;
  readonly env?: NodeJS.ProcessEnv;
  /** Folder of the processors' counters; default that of Linux. */
  readonly powercap?: string;
}

/** Reads the device while something runs on it. */
export interface Meter {
  /** To be called at the ends of whatever is to be told apart, outside of timings: reads what is read in no time, the processors' counters. */
  mark(): void;
  /** What was read so far. */
  read(): Promise<DeviceReadings>;
  /** Ends the reading. */
  stop(): void;
}

/** `nvidia-smi` may take its time to start; after it has said nothing for so long, it counts as hanging. */
const ENOUGH_MS = 3000;

/**
 * Begins to read the device: a card by `nvidia-smi` in processes of its own, which go on while this one's event loop stands still; processors by
 * their counters. Where nothing can be read, the readings say why: this never throws, and never waits for a process that hangs.
 */
export async function startMeter({ device, interval = 100, pid = process.pid, env = process.env, powercap }: MeterOptions): Promise<Meter> {
  if (device === "cpu") return cpuMeter(powercap);
  const { cards, problem } = await lookForCards({ env });
  if (problem !== null) return nothing(problem);
  let card: Card;
  try {
    card = chosenCard(cards, env);
  } catch (error) {
    return nothing((error as Error).message);
  }
  return cardMeter(card, interval, pid, env);
}

function nothing(problem: string): Meter {
  return { mark: () => {}, read: () => Promise.resolve(DeviceReadings.nothing(problem)), stop: () => {} };
}

function cpuMeter(powercap: string | undefined): Meter {
  const counters = Rapl.open(powercap);
  if (typeof counters === "string") return nothing(counters);
  return { mark: () => counters.mark(), read: () => Promise.resolve(DeviceReadings.ofProcessors([...counters.samples])), stop: () => {} };
}

function cardMeter(card: Card, interval: number, pid: number, env: NodeJS.ProcessEnv): Meter {
  const started = Date.now();
  const samples: CardSample[] = [];
  const processes: ProcessSample[] = [];
  const often = ["--format=csv,noheader,nounits", `--id=${card.uuid}`, `-lms`, String(interval)];
  const gpu = new Lines(["--query-gpu=timestamp,power.draw,memory.used,utilization.gpu,clocks.sm,clocks.mem", ...often], env, ([time, watts, used, utilization, sm, memory]) => {
    const at = timeOf(time);
    if (at === null) return;
    samples.push({ at, watts: card.mig ? null : numberOf(watts), usedBytes: card.mig ? null : bytesOf(used), utilization: numberOf(utilization), smClock: numberOf(sm), memoryClock: numberOf(memory) });
  });
  const apps = new Lines(["--query-compute-apps=timestamp,pid,used_gpu_memory", ...often], env, ([time, id, used]) => {
    const [at, bytes] = [timeOf(time), bytesOf(used)];
    if (at !== null && bytes !== null && numberOf(id) === pid) processes.push({ at, bytes });
  });
  return {
    mark: () => {},
    async read() {
      // Its first line may still be on the way.
      const patience = Math.max(0, started + ENOUGH_MS - Date.now());
      if (samples.length === 0) await Promise.race([gpu.first, new Promise((resolve) => setTimeout(resolve, patience))]);
      // What lies in the pipes already.
      await new Promise((resolve) => setImmediate(resolve));
      const missing = [
        ...(samples.length === 0 ? [gpu.problem ?? `nvidia-smi: gave no sample in ${((Date.now() - started) / 1e3).toFixed(1)} s`] : []),
        ...(card.mig ? ["the card is split (MIG): power and memory of the whole card say nothing of this instance"] : []),
      ];
      return DeviceReadings.ofCard({ card, samples: [...samples], processes: [...processes], missing });
    },
    stop() {
      gpu.stop();
      apps.stop();
    },
  };
}

/** `2026/11/30 10:15:21.123`, the time of this machine's clock and zone, in milliseconds since 1970. */
export function timeOf(cell: string | undefined): number | null {
  const [, year, month, day, hour, minute, second, millisecond = "0"] = /^(\d{4})\/(\d\d)\/(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,3}))?$/.exec(cell ?? "") ?? [];
  return year === undefined ? null : new Date(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second), Number(millisecond.padEnd(3, "0"))).getTime();
}

/** A `nvidia-smi` that goes on writing lines until it is stopped; it ends with this process, whose end of the pipe it writes to. */
class Lines {
  private readonly child: ChildProcess;
  private rest = "";
  /** Why it gave nothing, as far as it said. */
  problem: string | null = null;
  /** There is a line, or there will be none. */
  readonly first: Promise<void>;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv, onRow: (cells: string[]) => void) {
    this.child = spawn("nvidia-smi", args, { env, stdio: ["ignore", "pipe", "ignore"] });
    // It must not keep this process alive.
    this.child.unref();
    (this.child.stdout as unknown as { unref?: () => void }).unref?.();
    this.first = new Promise((resolve) => {
      this.child.once("error", (error: NodeJS.ErrnoException) => {
        this.problem = `nvidia-smi: ${error.code === "ENOENT" ? "not found on the PATH" : error.message}`;
        resolve();
      });
      this.child.once("exit", (code) => {
        this.problem ??= code === null ? null : `nvidia-smi: ended with ${code}${this.rest.trim() === "" ? "" : `: ${this.rest.trim().slice(0, 200)}`}`;
        resolve();
      });
      this.child.stdout!.setEncoding("utf8").on("data", (text: string) => {
        const lines = (this.rest + text).split("\n");
        this.rest = lines.pop()!;
        for (const line of lines) onRow(line.split(",").map((cell) => cell.trim()));
        if (lines.length > 0) resolve();
      });
    });
  }

  stop(): void {
    this.child.kill("SIGKILL");
    this.child.stdout?.destroy();
  }
}
