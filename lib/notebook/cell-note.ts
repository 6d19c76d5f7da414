import type { JsonObject } from "../jupyter/messages.js";
import type { Cell } from "./types.js";

/** What a run notes of a cell: hashes by which the next run knows it, why it ran again, that it is stale. */
export interface CellNote extends JsonObject {
  hash?: string;
  /** Hash of the outputs: what another tool changed is not kept. */
  outputs?: string;
  /** It kept its outputs. */
  cached?: boolean;
  /** Why it ran although it did not change. */
  rerun?: string;
  /** Why its outputs are not what running the notebook would give. */
  stale?: string;
}

/**
 * The note of a cell. It is kept under `execution`, as clients keep their times of execution: what is there no text
 * notebook shows, and a client that runs the cell anew replaces it.
 */
export function cellNote(cell: Cell): CellNote {
  return ((cell.metadata["execution"] as JsonObject | undefined)?.["sdtp"] ?? {}) as CellNote;
}

/** Sets the note of a cell, or removes it. */
export function setCellNote(cell: Cell, note: CellNote | undefined): void {
  const { sdtp: _, ...execution } = { ...(cell.metadata["execution"] as JsonObject | undefined) };
  if (note !== undefined) execution["sdtp"] = note;
  if (Object.keys(execution).length > 0) cell.metadata["execution"] = execution;
  else delete cell.metadata["execution"];
}
