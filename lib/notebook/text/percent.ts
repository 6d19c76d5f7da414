/**
 * Notebooks as TypeScript or JavaScript in the percent format: `// %%` begins a cell.
 * Source: https://jupytext.readthedocs.io/en/latest/formats-scripts.html#the-percent-format
 */
import type { JsonObject } from "../../jupyter/messages.js";
import { joined, lines, type Cell, type Notebook } from "../types.js";
import { formatHeader, parseHeader, type TextFormat } from "./header.js";
import { magicLanguage, withMagic } from "./languages.js";
import { formatOptions, parseOptions, shownMetadata } from "./options.js";

const COMMENT = "//";
const START = /^\s*\/\/\s*%%(%*)(?:\s(.*))?$/;
/** A line for another kernel, commented out any number of times. */
const MAGIC = /^\s*(?:\/\/ ?)*%{1,3}[a-zA-Z]/;

/**
 * The notebook as text.
 * @param extension `.ts` or `.js`
 * @throws Error that names the cell whose code has a line which would begin another
 */
export function formatPercent({ cells, metadata }: Notebook, extension: string): string {
  const format: TextFormat = { extension, name: "percent", version: "1.3", comment: COMMENT };
  const { header, usedFirst } = formatHeader(metadata, cells, format);
  const filter = (metadata["jupytext"] as JsonObject | undefined)?.["cell_metadata_filter"];
  const rest = usedFirst ? cells.slice(1) : cells;
  const texts = rest.map((cell, i) => formatCell(cell, i + (usedFirst ? 2 : 1), typeof filter === "string" ? filter : ""));
  return `${[header.join("\n"), ...texts].join("\n\n")}\n`;
}

function formatCell(cell: Cell, number: number, filter: string): string {
  let source = joined(cell.source).replace(/\n+$/, "").split("\n");
  const metadata = shownMetadata(cell.metadata, filter);
  const words: string[] = [];
  if (typeof metadata["cell_depth"] === "number") words.push("%".repeat(metadata["cell_depth"]));
  if (typeof metadata["title"] === "string" && !/[{=]/.test(metadata["title"])) {
    words.push(metadata["title"]);
    delete metadata["title"];
  }
  const region = metadata["region_name"];
  for (const key of ["cell_depth", "region_name"]) delete metadata[key];
  if (cell.cell_type === "code") {
    const magic = magicLanguage(source);
    if (magic) {
      source = magic.rest;
      Object.assign(metadata, magic.args === "" ? {} : { magic_args: magic.args }, { language: magic.language });
    }
    // In a template string such a line may well be: the format has no way to write it.
    const line = source.findIndex((each) => START.test(each));
    if (line >= 0) throw new Error(`cell ${number}, line ${line + 1}: ${source[line]} (begins a cell in the percent format; .md can hold it)`);
    source = magic ? source.map(commented) : source.map((each) => (MAGIC.test(each) ? each.replace(/^(\s*)/, `$1${COMMENT} `) : each));
  } else {
    words.push(region === "md" ? "[md]" : `[${cell.cell_type}]`);
    source = source.map(commented);
  }
  const options = formatOptions(metadata);
  if (options !== "") words.push(options);
  const marker = words[0]?.startsWith("%") ? `${COMMENT} %%${words.join(" ")}` : [`${COMMENT} %%`, ...words].join(" ");
  return [marker, ...(source.length === 1 && source[0] === "" && cell.cell_type === "code" ? [] : source)].join("\n");
}

/**
 * The notebook in a text. Without any marker, the text is one cell.
 * @param starts receives the line, from 1, at which the source of each cell begins
 * @throws Error with the line of a bad header
 */
export function parsePercent(text: string, starts: number[] = []): Pick<Notebook, "metadata" | "cells"> {
  const all = text.split("\n");
  if (all.at(-1) === "") all.pop();
  const { metadata, cell: front, next } = parseHeader(all, COMMENT);
  const cells: Cell[] = front ? [front] : [];
  if (front) starts.push(1);
  let start = next;
  while (start < all.length) {
    const end = cellEnd(all, start);
    const cell = parseCell(all.slice(start, end));
    if (cell) {
      cells.push(cell);
      starts.push(start + (START.test(all[start] ?? "") ? 2 : 1));
    }
    start = end;
  }
  return { metadata, cells };
}

/** Where the cell that begins at `start` ends. A fenced block inside Markdown may have lines with `%%`. */
function cellEnd(all: string[], start: number): number {
  const isText = /\[(markdown|md|raw)\]/.test(START.exec(all[start] ?? "")?.[2] ?? "");
  let fence: string | undefined;
  for (let i = start + 1; i < all.length; i++) {
    const line = all[i] ?? "";
    if (isText) {
      const bare = uncommented(line).trim();
      const mark = /^(`{3,}|~{3,})/.exec(bare)?.[1];
      if (fence !== undefined) {
        if (bare.startsWith(fence) && bare.replaceAll(fence[0] ?? "", "") === "") fence = undefined;
        continue;
      }
      const closes = (each: string) => uncommented(each).trim().startsWith(mark ?? "");
      if (mark !== undefined && all.slice(i + 1).some(closes)) {
        fence = mark;
        continue;
      }
    }
    if (START.test(line)) return i;
  }
  return all.length;
}

function parseCell(all: string[]): Cell | undefined {
  const match = START.exec(all[0] ?? "");
  const source = match ? all.slice(1) : all;
  while (source.length > 0 && source.at(-1) === "") source.pop();
  if (!match) return source.length === 0 ? undefined : { cell_type: "code", execution_count: null, metadata: {}, outputs: [], source: lines(plain(source).join("\n")) };
  const { title, metadata } = parseOptions(match[2] ?? "");
  const type = /\[(markdown|md|raw)\]/.exec(title)?.[1];
  const name = title.replace(/\[(markdown|md|raw)\]/, "").replace(/\s+/g, " ").trim();
  const active = metadata["active"];
  if (active === "") delete metadata["active"];
  const shown: JsonObject = { ...(name !== "" && { title: name }), ...(match[1] && { cell_depth: match[1].length }), ...metadata, ...(type === "md" && { region_name: "md" }) };
  if (type === undefined && active !== "") {
    const { language, magic_args: args, ...own } = shown;
    const body = typeof language === "string" ? withMagic(language, typeof args === "string" ? args : "", source.map(uncommented)) : plain(source);
    return { cell_type: "code", execution_count: null, metadata: own, outputs: [], source: lines(body.join("\n")) };
  }
  const body = (type === undefined ? source : source.map(uncommented)).join("\n");
  return { cell_type: type === "markdown" || type === "md" ? "markdown" : "raw", metadata: shown, source: lines(body) };
}

/** Code without the comment sign in front of magics. */
function plain(source: string[]): string[] {
  return source.map((line) => (MAGIC.test(line) && /^\s*\/\//.test(line) ? line.replace(/^(\s*)\/\/ ?/, "$1") : line));
}

const commented = (line: string): string => (line === "" ? COMMENT : `${COMMENT} ${line}`);

function uncommented(line: string): string {
  return line.startsWith(`${COMMENT} `) ? line.slice(COMMENT.length + 1) : line.startsWith(COMMENT) ? line.slice(COMMENT.length) : line;
}
