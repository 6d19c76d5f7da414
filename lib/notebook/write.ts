import { writeOutput } from "../files.js";
import { withValidIds } from "./cell-ids.js";
import { stringifyExact } from "./json.js";
import type { Notebook } from "./types.js";

/** A notebook as text, formatted as nbformat formats it, with ids that other readers take (`withValidIds` says which were none). */
export function stringifyNotebook(notebook: Notebook): string {
  return `${stringifyExact(withValidIds(notebook).notebook)}\n`;
}

/**
 * Writes a notebook whole or not at all, its folder too.
 * @throws an error that names the file
 */
export async function writeNotebook(file: string, notebook: Notebook): Promise<void> {
  await writeOutput(file, stringifyNotebook(notebook), "notebook");
}
