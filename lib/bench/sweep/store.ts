import { readFile } from "node:fs/promises";
import { join } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { makeFolder } from "../../files.js";
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

  async write({ key }: Pick<Cell, "key">, cell: StoredCell): Promise<void> {
    await makeFolder(join(this.folder, "cells"));
    await writeFileAtomic(this.file(key), formatJson(cell));
  }

  /** A file that a cell's rows are kept in. */
  file(key: string): string {
    return join(this.folder, "cells", `${key.slice(0, 24)}.json`);
  }
}
