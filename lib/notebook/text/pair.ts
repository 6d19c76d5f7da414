import { existsSync } from "node:fs";
import { stat, utimes } from "node:fs/promises";
import { extname, join, parse } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { readText, writeOutput } from "../../files.js";
import type { JsonObject } from "../../jupyter/messages.js";
import { UsageError } from "../parameters/parameter.js";
import { parseNotebook } from "../read.js";
import { removeErrorMarkers } from "../run/errors.js";
import { hasTag, joined, type Notebook } from "../types.js";
import { writeNotebook } from "../write.js";
import { formatText, isTextNotebook, parseText, textExtensions, withStored } from "./index.js";

/** The .ipynb that has the outputs of a text notebook. */
export function storedFile(text: string): string {
  const { dir, name } = parse(text);
  return join(dir, `${name}.ipynb`);
}

/** A notebook file of any kind as a pair: its text, and its .ipynb. Either may not be there. */
export interface Pair {
  text: string;
  stored: string;
}

/**
 * The pair that a file is one half of.
 * @throws UsageError for an .ipynb of which nothing says where its text is
 */
export async function pairOf(file: string): Promise<Pair> {
  if (isTextNotebook(file)) return { text: file, stored: storedFile(file) };
  const { dir, name } = parse(file);
  const formats = existsSync(file) ? ((await readStored(file)).metadata["jupytext"] as JsonObject | undefined)?.["formats"] : undefined;
  const named = textExtensions.filter((extension) => typeof formats === "string" && formats.split(",").some((each) => each.trim().split(":")[0] === extension.slice(1)));
  const there = textExtensions.filter((extension) => existsSync(join(dir, name + extension)) && isNotebookText(extension));
  const extension = named[0] ?? (there.length === 1 ? there[0] : undefined);
  if (extension === undefined) throw new UsageError(`sync: ${file} (is not paired with a text; \`sdtp convert ${file} -o ${name}.ts --sync\` pairs it)`);
  return { text: join(dir, name + extension), stored: file };
}

/** A README beside a notebook is no notebook; TypeScript of the same name is. */
const isNotebookText = (extension: string): boolean => extension !== ".md";

/** What {@link sync} did: which half was written, if any. */
export type Synced = "text" | "stored" | "both" | "none";

/**
 * Makes both halves of a pair have the same cells: those of the half that was changed last. Outputs, ids and hidden
 * metadata stay in the .ipynb; of a cell whose code changed in the text, the outputs go. A half that is as it should
 * be is not written.
 * @throws an error that names the file where neither is there, or one is no notebook
 */
export async function sync({ text, stored }: Pair): Promise<Synced> {
  const [textTime, storedTime] = await Promise.all([text, stored].map((file) => stat(file).then(({ mtimeMs }) => mtimeMs, () => undefined)));
  if (textTime === undefined && storedTime === undefined) throw new UsageError(`notebook: ${text} (no such file)`);
  const kept = storedTime === undefined ? undefined : await readStored(stored);
  const written = textTime === undefined ? undefined : parseText(await readText("notebook", text), text);
  const textWins = written !== undefined && (kept === undefined || (textTime ?? 0) >= (storedTime ?? 0));
  const newStored = withFormats(textWins ? (kept ? withStored(written, kept) : written) : (kept as Notebook), text);
  const formatted = formatText(textWins ? withFormats(written, text) : { ...newStored, cells: inputsOf(newStored) }, text);
  const writesStored = kept === undefined || !isDeepStrictEqual(plain(kept), plain(newStored));
  const writesText = written === undefined || !isDeepStrictEqual(plain(written), plain(parseText(formatted, text)));
  if (writesStored) await writeNotebook(stored, newStored);
  // The text last: clients take an .ipynb that is newer for one that was changed.
  if (writesText) await writeOutput(text, formatted, "notebook");
  else if (writesStored) await utimes(text, new Date(), new Date());
  return writesText && writesStored ? "both" : writesText ? "text" : writesStored ? "stored" : "none";
}

/** As the file would have it: without what is undefined. */
const plain = (notebook: Notebook): unknown => {
  const texts = { ...notebook, cells: notebook.cells.map((cell) => ({ ...cell, source: joined(cell.source) })) };
  return JSON.parse(JSON.stringify(texts));
};

/** What people write of a notebook: its cells without what a run put among them. */
export function inputsOf(notebook: Notebook): Notebook["cells"] {
  const copy = { ...notebook, cells: [...notebook.cells] };
  removeErrorMarkers(copy);
  return copy.cells.filter((cell) => !hasTag(cell, "injected-parameters"));
}

/** Notes the pair where clients look for it. */
function withFormats(notebook: Notebook, text: string): Notebook {
  const extension = extname(text).slice(1);
  const jupytext = { ...(notebook.metadata["jupytext"] as JsonObject | undefined) };
  jupytext["formats"] = typeof jupytext["formats"] === "string" && jupytext["formats"].includes(extension) ? jupytext["formats"] : `ipynb,${extension}${extension === "md" ? "" : ":percent"}`;
  return { ...notebook, metadata: { ...notebook.metadata, jupytext } };
}

const readStored = async (file: string): Promise<Notebook> => parseNotebook(await readText("notebook", file), file);
