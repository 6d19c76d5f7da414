import { ambientSignal } from "../../ambient-signal.js";
import { measureGroup } from "../group.js";
import { newRun } from "../metadata.js";
import { requireWritable } from "../output.js";
import { type Cell, type CellOptions, cellsOf } from "./cells.js";
import { rowsOf, type SweepRow } from "./row.js";
import { type SweepProgress, Teller } from "./progress.js";
import { type StoredCell, SweepStore } from "./store.js";

export type { SweepAxes } from "./cells.js";
export type { SweepProgress } from "./progress.js";
export type { SweepRow } from "./row.js";

export interface SweepOptions extends Omit<CellOptions, "onProgress" | "signal"> {
  /** Where cells are kept as they are done and found again; default results/sweep. */
  readonly folder?: string;
  /** Starts no cell that is not expected to be done by then; one is always started. */
  readonly maxMinutes?: number;
  /** A process that measures longer than this is ended; its cell's rows have the error. */
  readonly timeoutSeconds?: number;
  /** Measure cells again whose rows have errors; default false. */
  readonly retryFailed?: boolean;
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
 * whatever ended the last one, with nothing lost but the cell in flight. A cell that fails gives rows with its error.
 * @throws before anything runs on bad input; AbortError on `signal`
 * @example
 * for await (const row of sweep({ configs: ["baseline", "keep07", "sdtp"], lengths: [1024, 4096], scorers: ["learned", "norm"] })) {
 *   console.log(row.config, row.scorer, row.length, row.prefill_speedup);
 * }
 */
export async function* sweep(options: SweepOptions = {}): AsyncGenerator<SweepRow, SweepEnd, undefined> {
  const { folder = "results/sweep", maxMinutes = Infinity, timeoutSeconds, retryFailed = false, onProgress, signal = ambientSignal() } = options;
  if (!(maxMinutes > 0)) throw new Error(`max minutes: ${maxMinutes} (must be above 0)`);
  if (timeoutSeconds !== undefined && !(timeoutSeconds > 0)) throw new Error(`timeout: ${timeoutSeconds} (must be above 0, in seconds)`);
  const started = performance.now();
  const tell = new Teller(onProgress);
  const store = new SweepStore(folder);
  await requireWritable(store.file(""));
  const cells = await cellsOf({ ...options, signal, onProgress: (share, label) => tell.say(share, label) });
  const known = new Map<Cell, StoredCell>();
  for (const cell of cells) {
    const stored = await store.read(cell);
    if (stored && !(retryFailed && stored.rows.some(({ error }) => error !== null))) known.set(cell, stored);
  }
  tell.begin(cells, [...known.values()]);

  let measured = 0;
  for (const [index, cell] of cells.entries()) {
    let stored = known.get(cell);
    if (!stored) {
      signal?.throwIfAborted();
      const minutes = ((performance.now() - started) / 1e3 + tell.estimate(cell.cost)) / 60;
      if (measured > 0 && minutes > maxMinutes) {
        const left = cells.slice(index).filter((other) => !known.has(other)).length;
        for (const other of cells.slice(index)) yield* known.get(other)?.rows ?? [];
        return { cells: cells.length, measured, found: known.size, left };
      }
      stored = await measureCell(cell, { signal, timeoutSeconds }, tell);
      await store.write(cell, stored);
      measured++;
    }
    yield* stored.rows;
  }
  return { cells: cells.length, measured, found: known.size, left: 0 };
}

async function measureCell(cell: Cell, options: { signal: AbortSignal | undefined; timeoutSeconds: number | undefined }, tell: Teller): Promise<StoredCell> {
  const started = performance.now();
  const run = newRun();
  const outcomes = await measureGroup(cell.group, { ...options, onRun: (cost, label) => tell.run(cost, label) });
  const stored: StoredCell = { schema_version: 1, label: cell.label, seconds: (performance.now() - started) / 1e3, cost: cell.cost, rows: rowsOf({ ...cell, facts: { ...cell.facts, ...run } }, outcomes) };
  tell.done(stored);
  return stored;
}
