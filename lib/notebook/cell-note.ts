import type { JsonObject } from "../jupyter/messages.js";
import type { Cell } from "./types.js";

/** What a run notes of a cell: hashes by which the next run knows it, why it ran again, that it is stale. */
export interface CellNote extends JsonObject {
  hash?: string;
  /** What its outputs follow from, where a run looked at what depends on what. */
  key?: string;
  /** Hash of the outputs: what another tool changed is not kept. */
  outputs?: string;
  /** It kept its outputs. */
  cached?: boolean;
  /** Why it ran although it did not change. */
  rerun?: string;
  /** Why its outputs are not what running the notebook would give. */
  stale?: string;
}

/** Begins the names of what is noted, among other programs' notes. */
const OURS = "sdtp.";

/**
 * The note of a cell. It is kept under `execution`, as clients keep their times of execution: what is there no text
 * notebook shows, and a client that runs the cell anew replaces it. nbformat takes nothing but text there.
 */
export function cellNote(cell: Cell): CellNote {
  const noted = Object.entries((cell.metadata["execution"] ?? {}) as JsonObject).filter(([key]) => key.startsWith(OURS));
  return Object.fromEntries(noted.map(([key, value]) => [key.slice(OURS.length), key === `${OURS}cached` ? value === "true" : value])) as CellNote;
}

/** Sets the note of a cell, or removes it. */
export function setCellNote(cell: Cell, note: CellNote = {}): void {
  const others = Object.entries((cell.metadata["execution"] ?? {}) as JsonObject).filter(([key]) => !key.startsWith(OURS));
  const noted = Object.entries(note).flatMap(([key, value]) => (value === undefined ? [] : [[`${OURS}${key}`, String(value)] as const]));
  if (others.length + noted.length > 0) cell.metadata["execution"] = Object.fromEntries([...others, ...noted]) as JsonObject;
  else delete cell.metadata["execution"];
}
