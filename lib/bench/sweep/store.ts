import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeOutput } from "../../files.js";
import { formatJson } from "../../format-json.js";
import type { Cell } from "./cells.js";
import type { SweepRow } from "./row.js";

/** A cell that was measured, as it is kept. */
export interface StoredCell {
  readonly schema_version: 1;
  readonly label: string;
  /** Time it took, for estimates. */
  readonly seconds: number;
  readonly cost: number;
  readonly rows: readonly SweepRow[];
}

export function hasFailed({ rows }: StoredCell): boolean {
  return rows.some(({ error }) => error !== null);
}

/**
 * Measured cells on disk, one file each, named by the cell's key and written whole or not at all. Whatever ends the
 * process, what is there is what was done; the same cell of another sweep in the same folder is found too.
 */
export class SweepStore {
  constructor(readonly folder: string) {}

  async read({ key }: Pick<Cell, "key">): Promise<StoredCell | null> {
    let text: string;
    try {
      text = await readFile(this.file(key), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
    try {
      const stored = JSON.parse(text) as StoredCell;
      if (stored.schema_version === 1 && Array.isArray(stored.rows)) return stored;
    } catch {
      // Said below: a file that was cut short is no JSON.
    }
    throw new Error(`sweep cell: ${this.file(key)} (is damaged: remove it, and it is measured again)`);
  }

  /** The cells that are there already. @param retryFailed leave out those whose rows have errors */
  async known(cells: readonly Cell[], retryFailed: boolean): Promise<Map<Cell, StoredCell>> {
    const known = new Map<Cell, StoredCell>();
    for (const cell of cells) {
      const stored = await this.read(cell);
      if (stored && !(retryFailed && hasFailed(stored))) known.set(cell, stored);
    }
    return known;
  }

  async write({ key }: Pick<Cell, "key">, cell: StoredCell): Promise<void> {
    await writeOutput(this.file(key), formatJson(cell), "sweep cell");
  }

  /** A file that a cell's rows are kept in. */
  file(key: string): string {
    return join(this.folder, "cells", `${key.slice(0, 24)}.json`);
  }
}
