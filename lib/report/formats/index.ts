import type { Table } from "../table.js";
import { toCsv } from "./csv.js";
import { htmlDocument, toHtml } from "./html.js";
import { toJsonLines } from "./jsonlines.js";
import { toLatex } from "./latex.js";
import { toMarkdown } from "./markdown.js";

export { htmlDocument, toCsv, toHtml, toJsonLines, toLatex, toMarkdown };

/** Output formats by name; each gives the text of a whole file. */
export const formats = {
  md: toMarkdown,
  csv: toCsv,
  jsonl: toJsonLines,
  html: <Row>(table: Table<Row>) => htmlDocument(table.title, toHtml(table)),
  latex: toLatex,
} as const;

export type Format = keyof typeof formats;

const endings: Readonly<Record<string, Format>> = { md: "md", markdown: "md", csv: "csv", jsonl: "jsonl", ndjson: "jsonl", html: "html", htm: "html", tex: "latex" };

/** The format that a file's ending asks for. */
export function formatOf(file: string): Format {
  const ending = /\.([^./\\]+)$/.exec(file)?.[1]?.toLowerCase() ?? "";
  const format = endings[ending];
  if (!format) throw new Error(`output: ${file} (must end in ${Object.keys(endings).map((known) => `.${known}`).join(", ")}, or its format be given)`);
  return format;
}
