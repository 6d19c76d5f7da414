import { ambientSignal } from "../../ambient-signal.js";
import { requireWritable } from "../output.js";
import { parsePlacement, parsePlacements, type Placement, placedThreads } from "../placement.js";
import { type Cell, type CellOptions, cellsOf } from "./cells.js";
import { measureCell } from "./measure.js";
import { pool } from "./pool.js";
import { type SweepProgress, Teller } from "./progress.js";
import type { SweepRow } from "./row.js";
import { type FailedCell, failedCell } from "./command.js";
import { hasFailed, type StoredCell, SweepStore } from "./store.js";

export type { SweepAxes } from "./cells.js";
export { type SweepProgress, sweepLabel } from "./progress.js";
export type { SweepRow } from "./row.js";

export interface SweepOptions extends Omit<CellOptions, "onProgress" | "signal" | "elsewhere"> {
  /**
   * Cards or sets of processors of this machine, each of which measures one cell at a time: `cuda:0`, `cuda:1`, or
   * `cpu:0-7`, `cpu:8-15`. Default: one of the axis `devices` at a time, the whole of it.
   */
  readonly placements?: readonly string[];
  /** Where cells are kept as they are done and found again; default results/sweep. */
  readonly folder?: string;
  /** Starts no cell that is not expected to be done by then; one is always started. */
  readonly maxMinutes?: number;
  /** A process that measures longer than this is ended; its cell's rows have the error. */
  readonly timeoutSeconds?: number;
  /** Measure cells again whose rows have errors; default false. */
  readonly retryFailed?: boolean;
  /** Told of each cell that failed, now or before, with the command that measures it alone. */
  readonly onFailed?: (failed: FailedCell) => void;
  readonly onProgress?: (progress: SweepProgress) => void;
  readonly signal?: AbortSignal;
}

/** How a sweep ended. */
export interface SweepEnd {
  readonly cells: number;
  /** Measured now, and found from before. */
  readonly measured: number;
  readonly found: number;
  /** Not started, as the time was up. */
  readonly left: number;
}

/**
 * Measures the full cross product of the axes, a row a configuration, as rows come. All configurations of a cell take
 * turns in one process, the baseline with them. Cells are kept in `folder`: the same call finds them there and goes on,
 * whatever ended the last one, with nothing lost but the cells in flight. A cell that fails gives rows with its error.
 * @throws before anything runs on bad input; AbortError on `signal`
 * @example
 * for await (const row of sweep({ configs: ["baseline", "keep07", "sdtp"], lengths: [1024, 4096], scorers: ["learned", "norm"] })) {
 *   console.log(row.config, row.scorer, row.length, row.prefill_speedup);
 * }
 */
export async function* sweep(options: SweepOptions = {}): AsyncGenerator<SweepRow, SweepEnd, undefined> {
  const { folder, maxMinutes, timeoutSeconds, retryFailed, onProgress, onFailed, signal } = checkedOptions(options);
  const started = performance.now();
  const tell = new Teller(onProgress);
  const store = new SweepStore(folder);
  await requireWritable(store.file(""));
  const { placements, ...placed } = placedAxes(options);
  const cells = await cellsOf({ ...options, ...placed, signal, onProgress: (share, label) => tell.say(share, label) });
  const known = await store.known(cells, retryFailed);
  tell.begin(cells, [...known.values()]);

  let [measured, begun] = [0, 0];
  const measure = async (cell: Cell, placement: Placement, stop: AbortSignal | undefined): Promise<StoredCell> => {
    tell.start(cell);
    const stored = await measureCell(cell, { signal: stop, timeoutSeconds, placement, onRun: (cost, label) => tell.run(cell, cost, label) });
    tell.done(cell, stored);
    await store.write(cell, stored);
    measured++;
    return stored;
  };
  const inTime = ({ cost }: Cell) => begun++ < Math.max(1, placements.length) || ((performance.now() - started) / 1e3 + tell.estimate(cost)) / 60 <= maxMinutes;
  const unknown = cells.filter((cell) => !known.has(cell));
  const measuring = placements.length > 1 ? pool(unknown, { placements, signal, measure, inTime }) : undefined;
  let left = 0;
  try {
    for (const cell of cells) {
      let stored: StoredCell | null | undefined = known.get(cell);
      if (!stored) {
        signal?.throwIfAborted();
        if (measuring) stored = (await measuring.next()).value ?? null;
        else stored = left === 0 && inTime(cell) ? await measure(cell, placements[0] ?? parsePlacement(cell.group.subject.device), signal) : null;
        if (!stored) left++;
      }
      if (stored && hasFailed(stored)) onFailed?.(failedCell(cell, stored, { promptFile: options.promptFile, folder }));
      yield* stored?.rows ?? [];
    }
  } finally {
    await measuring?.return();
  }
  return { cells: cells.length, measured, found: known.size, left };
}

/** @throws on numbers out of range */
export function checkedOptions({ folder = "results/sweep", maxMinutes = Infinity, timeoutSeconds, retryFailed = false, onProgress, onFailed, signal = ambientSignal() }: SweepOptions) {
  if (!(maxMinutes > 0)) throw new Error(`max minutes: ${maxMinutes} (must be above 0)`);
  if (timeoutSeconds !== undefined && !(timeoutSeconds > 0)) throw new Error(`timeout: ${timeoutSeconds} (must be above 0, in seconds)`);
  return { folder, maxMinutes, timeoutSeconds, retryFailed, onProgress, onFailed, signal };
}

/** The placements, and the axes as they come to be by them. */
function placedAxes({ placements: names = [], devices, threads }: SweepOptions): { placements: Placement[] } & Pick<SweepOptions, "devices" | "threads"> {
  const placements = parsePlacements(names);
  if (placements.length === 0) return { placements };
  const axis = devices ?? [...new Set(placements.map(({ device }) => device))];
  for (const device of axis) {
    if (!placements.some((placement) => placement.device === device)) throw new Error(`device: ${device} (none of the devices given is one: ${names.join(", ")})`);
  }
  if (threads && threads.length > 0) return { placements, devices: axis };
  // A cell's threads are part of its key, and it is not known yet where it will run.
  const counts = [...new Set(placements.filter(({ device }) => device === "cpu").map(placedThreads))];
  if (counts.length > 1) throw new Error(`devices: ${names.join(", ")} (have ${counts.join(" and ")} cores: give sets of one size, or the number of threads)`);
  return { placements, devices: axis, ...(counts[0] !== undefined && { threads: counts }) };
}
