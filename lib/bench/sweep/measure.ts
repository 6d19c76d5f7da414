import { machineName } from "../machine.js";
import { measureGroup } from "../group.js";
import { newRun } from "../metadata.js";
import type { Placement } from "../placement.js";
import type { Cell } from "./cells.js";
import { rowsOf } from "./row.js";
import type { StoredCell } from "./store.js";

export interface MeasureCellOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutSeconds?: number | undefined;
  /** What of this machine it is given. */
  readonly placement: Placement;
  /** Default: this machine's own. */
  readonly machine?: string;
  /** Milliseconds that this machine's clock is behind the one that rows are dated by; default 0. */
  readonly clockOffset?: number;
  /** Called after each run with its cost. */
  readonly onRun?: (cost: number, label: string) => void;
}

/** A cell to be measured; `measuredAs` where its model and scorer are called otherwise on this machine than in its rows. */
export type CellToMeasure = Pick<Cell, "key" | "label" | "group" | "facts" | "asked" | "cost"> & { readonly measuredAs?: Cell["group"] };

/** Measures a cell: its rows, whole. One that fails has rows with its error. @throws only where it is interrupted */
export async function measureCell(cell: CellToMeasure, { signal, timeoutSeconds, placement, machine = machineName(), clockOffset = 0, onRun }: MeasureCellOptions): Promise<StoredCell> {
  const started = performance.now();
  const run = newRun(new Date(Date.now() + clockOffset));
  const outcomes = await measureGroup(cell.measuredAs ?? cell.group, { signal, timeoutSeconds, placement, onRun });
  return {
    schema_version: 1, label: cell.label, seconds: (performance.now() - started) / 1e3, cost: cell.cost,
    rows: rowsOf({ ...cell, facts: { ...cell.facts, ...run } }, outcomes, { machine, placement: placement.name }),
  };
}
