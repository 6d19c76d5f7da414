/** Notebooks as text: TypeScript or JavaScript in the percent format, and Markdown. jupytext reads and writes the same. */
import { extname } from "node:path";
import { languageOf } from "../language.js";
import type { JsonObject } from "../../jupyter/messages.js";
import type { Cell, Notebook } from "../types.js";
import { combine } from "./combine.js";
import { formatMarkdown, parseMarkdown } from "./markdown.js";
import { shownMetadata } from "./options.js";
import { formatPercent, parsePercent } from "./percent.js";

/** Endings of text notebooks, with the language of their code where no kernel says another. */
const LANGUAGES: Readonly<Record<string, string>> = { ".ts": "typescript", ".js": "javascript", ".md": "typescript" };

export const textExtensions = Object.keys(LANGUAGES);

/** Whether a file is a text notebook by its name. */
export function isTextNotebook(file: string): boolean {
  return extname(file).toLowerCase() in LANGUAGES;
}

/**
 * The notebook in a text.
 * @param file its name, which says the format
 * @throws Error that names the file, and the line of a header that is none
 */
export function parseText(text: string, file: string): Notebook {
  const extension = extname(file).toLowerCase();
  const language = LANGUAGES[extension] ?? "typescript";
  const plain = text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
  try {
    const { metadata, cells } = extension === ".md" ? parseMarkdown(plain, language) : parsePercent(plain);
    metadata.kernelspec ??= { name: "sdtp", display_name: "TypeScript (sdtp)", language: "typescript" };
    return combine({ nbformat: 4, nbformat_minor: 5, metadata, cells }, undefined, isShown({ metadata }));
  } catch (error) {
    throw new Error(`notebook: ${file} (${(error as Error).message.split("\n")[0]?.replace(/:$/, "")})`);
  }
}

/** Where the sources of a text notebook's cells begin: lines from 1. */
export function startsOf(text: string, file: string): { line: number; whole: boolean }[] {
  const starts: number[] = [];
  const plain = text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
  if (extname(file).toLowerCase() === ".md") parseMarkdown(plain, "typescript", starts);
  else parsePercent(plain, starts);
  return starts.map((line) => ({ line, whole: false }));
}

/** A notebook as text. @param file its name, which says the format @throws Error that names the file and the cell which the format cannot hold */
export function formatText(notebook: Notebook, file: string): string {
  const extension = extname(file).toLowerCase();
  const named: Notebook = { ...notebook, metadata: { ...notebook.metadata } };
  try {
    return extension === ".md" ? formatMarkdown(named, extension, languageOf(notebook) ?? "typescript") : formatPercent(named, extension);
  } catch (error) {
    throw new Error(`notebook: ${file} (${(error as Error).message})`);
  }
}

/** The cells of a text notebook with ids, outputs and hidden metadata of the .ipynb beside it. */
export function withStored(text: Notebook, stored: Notebook): Notebook {
  return combine(text, stored, isShown(text));
}

const isShown = ({ metadata }: Pick<Notebook, "metadata">) => {
  const filter = (metadata["jupytext"] as JsonObject | undefined)?.["cell_metadata_filter"];
  return (cell: Cell, key: string) => key in shownMetadata({ [key]: cell.metadata[key] }, typeof filter === "string" ? filter : "");
};
