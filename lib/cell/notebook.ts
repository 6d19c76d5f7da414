import { ambientSignal } from "../ambient-signal.js";

/** What of the kernel's functions is used here. The library does not depend on the kernel: it finds them where it runs in a cell. */
interface Notebook {
  display(value: unknown): { update(value: unknown): void };
  readonly stale?: StaleCell[];
}

/** A cell whose outputs are not what running it now would give. */
export interface StaleCell {
  /** The notebook's id of the cell, where the client tells ids. */
  cell?: string;
  /** Its execution count, the number in brackets beside it. */
  count: number;
  /** Why: `[3] ran again`, or `[4] is stale`. */
  because: string;
}

/**
 * The stale cells of the notebook when the running cell began: those that used variables of a cell which has run again
 * since, and those that used variables of such. Empty outside of a notebook.
 * @example
 * sdtp.stale()   // [ { cell: "9f3a", count: 2, because: "[4] ran again" } ]
 */
export function stale(): StaleCell[] {
  return [...(notebook()?.stale ?? [])];
}

/** The notebook whose cell is running; undefined elsewhere. */
export function notebook(): Notebook | undefined {
  return (globalThis as { [key: symbol]: unknown })[Symbol.for("sdtp.notebook")] as Notebook | undefined;
}

/** Aborted when the cell is interrupted, or by `signal`; undefined where there is neither. */
export function cellSignal(signal?: AbortSignal): AbortSignal | undefined {
  const own = ambientSignal();
  return own && signal ? AbortSignal.any([own, signal]) : (own ?? signal);
}
