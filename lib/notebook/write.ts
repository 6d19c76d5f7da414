import { writeOutput } from "../files.js";
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
  await writeOutput(file, stringifyNotebook(notebook), "notebook");
}
