import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, parse as parsePath } from "node:path";
import { z } from "zod";
import { parseExact, stringifyExact } from "./json.js";
import type { Notebook } from "./types.js";

const text = z.union([z.string(), z.array(z.string())]);
const object = z.record(z.string(), z.unknown());
const metadata = z.looseObject({ tags: z.array(z.string()).optional() });
const count = z.number().nullable();

const output = z.discriminatedUnion("output_type", [
  z.looseObject({ output_type: z.literal("stream"), name: z.string(), text }),
  z.looseObject({ output_type: z.literal("display_data"), data: object, metadata: object }),
  z.looseObject({ output_type: z.literal("execute_result"), execution_count: count, data: object, metadata: object }),
  z.looseObject({ output_type: z.literal("error"), ename: z.string(), evalue: z.string(), traceback: z.array(z.string()) }),
]);

const cell = z.discriminatedUnion("cell_type", [
  z.looseObject({ cell_type: z.literal("markdown"), metadata, source: text }),
  z.looseObject({ cell_type: z.literal("raw"), metadata, source: text }),
  z.looseObject({ cell_type: z.literal("code"), metadata, source: text, execution_count: count, outputs: z.array(output) }),
]);

const notebook = z.looseObject({
  nbformat_minor: z.number(),
  metadata: z.looseObject({
    kernelspec: z.looseObject({ name: z.string().optional(), display_name: z.string().optional(), language: z.string().optional() }).optional(),
    language_info: z.looseObject({ name: z.string().optional(), file_extension: z.string().optional() }).optional(),
  }),
  cells: z.array(cell),
});

/**
 * Reads a notebook: nbformat 4, losing nothing of what is in it, or text (.ts, .js, .md), with the outputs that the
 * .ipynb beside it has for the same code.
 * @throws an error that names the file and what is wrong where: missing, not JSON, not a notebook, another nbformat
 */
export async function readNotebook(file: string, { exact = true }: { readonly exact?: boolean } = {}): Promise<Notebook> {
  const bytes = await read(file);
  const text = await import("./text/index.js");
  if (!text.isTextNotebook(file)) return parseNotebook(bytes, file, exact);
  const { dir, name } = parsePath(file);
  const stored = join(dir, `${name}.ipynb`);
  const written = text.parseText(bytes, file);
  return existsSync(stored) ? text.withStored(written, parseNotebook(await read(stored), stored, exact)) : written;
}

const read = (file: string): Promise<string> =>
  readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new Error(`notebook: ${file} (${reason(error)})`);
  });

/**
 * The notebook in `json`.
 * @param file its name in errors
 * @param exact false: numbers become JavaScript's, which is many times faster; for what is shown and not written again
 */
export function parseNotebook(json: string, file: string, exact = true): Notebook {
  let value: unknown;
  const text = json.startsWith("\uFEFF") ? json.slice(1) : json;
  try {
    value = exact ? parseExact(text) : parseFast(text);
  } catch (error) {
    const plain = withoutNaN(text);
    if (plain !== text) return parseNotebook(plain, file, exact);
    const conflict = /^(<{7}|={7}|>{7})( |$)/m.test(json) ? "; it has conflict markers of a merge in it" : "";
    throw new Error(`notebook: ${file} (no valid JSON: ${(error as Error).message}${conflict})`);
  }
  requireVersion(value, file);
  // The schema only looks: its result would be a copy.
  const checked = notebook.safeParse(value);
  if (!checked.success) {
    const { path, message } = checked.error.issues[0] ?? { path: [], message: "invalid" };
    throw new Error(`notebook: ${file} (${place(path)}: ${message})`);
  }
  return value as Notebook;
}

/**
 * JSON as Python writes it, with `NaN` and infinities, as JSON: in metadata (parameters that papermill notes) they become text, in
 * lists of numbers and everywhere else null, which charts take as a gap.
 */
function withoutNaN(text: string): string {
  const mark = "\\u0000number:";
  const marked = text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity)\b/g, (token) => (token.startsWith('"') ? token : `"${mark}${token}"`));
  if (marked === text) return text;
  const plain = (value: unknown, isMetadata: boolean): unknown => {
    if (typeof value === "string" && value.startsWith("\0number:")) return isMetadata ? value.slice("\0number:".length) : null;
    if (Array.isArray(value)) return value.map((each) => plain(each, isMetadata));
    if (typeof value !== "object" || value === null || value instanceof Number) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each, isMetadata || key === "metadata")]));
  };
  try {
    return stringifyExact(plain(parseExact(marked), false));
  } catch {
    return text;
  }
}

/** @throws the message that names line and column */
function parseFast(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return parseExact(text);
  }
}

function requireVersion(value: unknown, file: string): void {
  const { nbformat, cells } = (value ?? {}) as { nbformat?: unknown; cells?: unknown };
  if (nbformat === 4 && Array.isArray(cells)) return;
  if (typeof nbformat !== "number") throw new Error(`notebook: ${file} (no notebook: no "nbformat" and "cells" in it)`);
  if (nbformat === 4) throw new Error(`notebook: ${file} (cells: must be a list)`);
  const help = nbformat < 4 ? `; \`jupyter nbconvert --to notebook ${file}\` makes a copy in format 4` : "";
  throw new Error(`notebook: ${file} (nbformat ${nbformat}, but 4 is read${help})`);
}

/** `cells[3].outputs[0].data` */
function place(path: PropertyKey[]): string {
  return path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("").replace(/^\./, "") || "notebook";
}

function reason({ code, message }: NodeJS.ErrnoException): string {
  if (code === "ENOENT") return "no such file";
  if (code === "EISDIR") return "a folder";
  return `cannot be read: ${code ?? message}`;
}
