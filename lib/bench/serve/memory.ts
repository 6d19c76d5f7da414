import { median } from "../statistics.js";

/** Resident memory of a server while it was loaded. */
export interface Memory {
  /** Seconds after the start, and bytes. */
  readonly times: readonly number[];
  readonly resident_bytes: readonly number[];
}

/** What is said of it: whether it grows is whether the last quarter needs more than the second. */
export interface MemoryFigures {
  readonly first_bytes: number;
  readonly peak_bytes: number;
  /** Medians over the quarters of the time. */
  readonly quarters_bytes: readonly [number, number, number, number];
  /** Of the last quarter over the second, less 1: the first is the time in which a server takes what it needs. */
  readonly growth: number;
}

/** @returns null where there are too few samples to tell quarters apart */
export function memoryFigures({ resident_bytes: bytes }: Memory): MemoryFigures | null {
  if (bytes.length < 8) return null;
  const quarter = (i: number) => median(bytes.slice(Math.floor((i * bytes.length) / 4), Math.floor(((i + 1) * bytes.length) / 4)));
  const quarters = [quarter(0), quarter(1), quarter(2), quarter(3)] as const;
  return { first_bytes: bytes[0]!, peak_bytes: bytes.reduce((most, each) => Math.max(most, each)), quarters_bytes: quarters, growth: quarters[3] / quarters[1] - 1 };
}

/** Asks for the memory of a server twice a second until it is stopped. */
export class MemoryWatch {
  readonly times: number[] = [];
  readonly resident_bytes: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @param now seconds after the start @param resident bytes; null: not known */
  constructor(now: () => number, resident: () => Promise<number | null> | number | null) {
    const look = async () => {
      const [time, bytes] = [now(), await resident()];
      if (this.#stopped) return;
      if (bytes !== null) {
        this.times.push(Math.round(1e3 * time) / 1e3);
        this.resident_bytes.push(bytes);
      }
      this.#timer = setTimeout(() => void look(), INTERVAL);
    };
    void look();
  }

  stop(): Memory {
    this.#stopped = true;
    clearTimeout(this.#timer);
    return { times: this.times, resident_bytes: this.resident_bytes };
  }
}

const INTERVAL = 500;
