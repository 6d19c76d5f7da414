import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { stringifyExact } from "./json.js";
import type { Notebook } from "./types.js";

/** A notebook as text, formatted as nbformat formats it. */
export function stringifyNotebook(notebook: Notebook): string {
  return `${stringifyExact(notebook)}\n`;
}

/**
 * Writes a notebook whole or not at all, its folder too.
 * @throws an error that names the file
 */
export async function writeNotebook(file: string, notebook: Notebook): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFileAtomic(file, stringifyNotebook(notebook));
  } catch (error) {
    throw new Error(`notebook: ${file} (cannot be written: ${(error as NodeJS.ErrnoException).code ?? error})`);
  }
}
