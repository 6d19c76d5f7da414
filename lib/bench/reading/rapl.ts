import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CounterSample } from "./energy.js";

/** Where Linux shows the counters of Intel's and AMD's processors. */
const POWERCAP = "/sys/class/powercap";

interface Zone {
  readonly file: string;
  /** Microjoules after which the counter begins again at 0. */
  readonly range: number;
}

/** The processors' counters of energy: packages, and memory where it has one beside them. */
export class Rapl {
  private readonly last: number[];
  private total = 0;
  readonly samples: CounterSample[] = [];

  private constructor(private readonly zones: readonly Zone[]) {
    this.last = zones.map(({ file }) => read(file));
  }

  /** @returns the counters, or in words why there are none: most systems let only root read them */
  static open(folder = POWERCAP): Rapl | string {
    let names: string[];
    try {
      names = readdirSync(folder);
    } catch {
      return `${folder}: not here (there Linux shows the energy of processors, where the machine is a real one)`;
    }
    // A package is intel-rapl:0, what is inside it intel-rapl:0:1. Of those, only memory is not in the package's own count.
    const wanted = names.filter((name) => /^intel-rapl:\d+(:\d+)?$/.test(name)).filter((name) => /^(package-\d+|dram)$/.test(label(join(folder, name))));
    if (wanted.length === 0) return `${folder}: no package that counts its energy`;
    try {
      return new Rapl(wanted.map((name) => ({ file: join(folder, name, "energy_uj"), range: read(join(folder, name, "max_energy_range_uj")) })));
    } catch (error) {
      return `${folder}: ${(error as NodeJS.ErrnoException).code === "EACCES" ? "its counters can be read by root alone (sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj)" : (error as Error).message}`;
    }
  }

  /** Reads the counters now. They begin again after some 260 kJ: to be read more often than that. */
  mark(at = Date.now()): void {
    this.zones.forEach(({ file, range }, i) => {
      const now = read(file);
      this.total += now >= this.last[i]! ? now - this.last[i]! : now + range - this.last[i]!;
      this.last[i] = now;
    });
    this.samples.push({ at, joules: this.total / 1e6 });
  }
}

function read(file: string): number {
  const value = Number(readFileSync(file, "utf8"));
  if (!Number.isFinite(value)) throw new Error(`${file} (holds no number)`);
  return value;
}

function label(folder: string): string {
  try {
    return readFileSync(join(folder, "name"), "utf8").trim();
  } catch {
    return "";
  }
}
