/**
 * Notebooks as Markdown: code cells are fenced blocks with a language, two blank lines part two cells of text.
 * Source: https://jupytext.readthedocs.io/en/latest/formats-markdown.html
 */
import type { JsonObject } from "../../jupyter/messages.js";
import { joined, lines, type Cell, type Notebook } from "../types.js";
import { formatHeader, parseHeader, type TextFormat } from "./header.js";
import { isLanguage, magicLanguage, withMagic } from "./languages.js";
import { formatOptions, parseKeys, parseOptions, shownMetadata } from "./options.js";

const FENCE = /^(`{3,})\s*([^\s`]+)(?:\s+(.*?))?\s*$/;
const REGION = /^<!--\s*#(region|markdown|md|raw)(.*)-->\s*$/;

/** What of a Markdown file is code, and in which language. */
interface Dialect {
  main: string;
  /** Whether a fence's language begins a code cell. */
  isCode(language: string): boolean;
}

/** The notebook as Markdown. @param language the notebook's own */
export function formatMarkdown({ cells, metadata }: Notebook, extension: string, language: string): string {
  const format: TextFormat = { extension, name: "markdown", version: "1.3", comment: "" };
  const { header, usedFirst } = formatHeader(metadata, cells, format);
  const given = (metadata["jupytext"] as JsonObject | undefined)?.["cell_metadata_filter"];
  const filter = typeof given === "string" ? given : "";
  const dialect = notebookDialect(language);
  let text = `${header.join("\n")}\n`;
  let before: { type: string; region: boolean } | undefined;
  for (const cell of usedFirst ? cells.slice(1) : cells) {
    const { body, region } = formatCell(cell, dialect, filter);
    // Text behind text would be one cell with it.
    const between = before && before.type !== "code" && cell.cell_type !== "code" && !before.region && !region ? "\n\n" : "\n";
    text += `${between}${body}\n`;
    before = { type: cell.cell_type, region };
  }
  return text;
}

function formatCell(cell: Cell, dialect: Dialect, filter: string): { body: string; region: boolean } {
  const metadata = shownMetadata(cell.metadata, filter);
  let source = joined(cell.source).replace(/\n+$/, "").split("\n");
  if (cell.cell_type === "code") {
    const magic = magicLanguage(source);
    if (magic) source = magic.rest;
    if (magic && magic.args !== "") metadata["magic_args"] = magic.args;
    const fence = "`".repeat(Math.max(3, ...source.map((line) => (/^`{3,}/.exec(line)?.[0].length ?? 0) + 1)));
    const options = formatOptions(metadata);
    return { body: [`${fence}${magic?.language ?? dialect.main}${options === "" ? "" : ` ${options}`}`, ...source, fence].join("\n"), region: false };
  }
  const name = cell.cell_type === "raw" ? "raw" : typeof metadata["region_name"] === "string" ? metadata["region_name"] : "region";
  delete metadata["region_name"];
  const parts = parseCells(source, dialect);
  const isWhole = parts.length === 1 && parts[0]?.cell_type === "markdown" && joined(parts[0].source) === source.join("\n") && source.some((line) => line.trim() !== "");
  if (cell.cell_type === "markdown" && Object.keys(metadata).length === 0 && isWhole) return { body: source.join("\n"), region: false };
  const title = typeof metadata["title"] === "string" && !/[{=]/.test(metadata["title"]) ? metadata["title"] : "";
  if (title !== "") delete metadata["title"];
  const words = [`#${name}`, title, formatOptions(metadata)].filter(Boolean).join(" ");
  return { body: [`<!-- ${words} -->`, ...source, `<!-- #end${name} -->`].join("\n"), region: true };
}

/**
 * The notebook in Markdown: without a header, only TypeScript is code.
 * @param starts receives the line, from 1, at which the source of each code cell begins; of others, one near it
 * @throws Error with the line of a bad header
 */
export function parseMarkdown(text: string, defaultLanguage: string, starts: number[] = []): Pick<Notebook, "metadata" | "cells"> {
  const all = text.split("\n");
  if (all.at(-1) === "") all.pop();
  const { metadata, cell: front, next, found } = parseHeader(all, "");
  const language = metadata.kernelspec?.language ?? defaultLanguage;
  const dialect = found ? notebookDialect(language) : { main: "typescript", isCode: (word: string) => /^(ts|typescript)$/i.test(word) };
  const own: number[] = [];
  const cells = parseCells(all.slice(next), dialect, own);
  starts.push(...(front ? [1] : []), ...own.map((line) => line + next));
  return { metadata, cells: front ? [front, ...cells] : cells };
}

const notebookDialect = (language: string): Dialect => ({ main: language.toLowerCase(), isCode: (word) => isLanguage(word) || word.toLowerCase() === language.toLowerCase() });

function parseCells(all: string[], dialect: Dialect, starts: number[] = []): Cell[] {
  const cells: Cell[] = [];
  const add = (cell: Cell, line: number) => {
    cells.push(cell);
    starts.push(line);
  };
  let text: string[] = [];
  const flush = (end: number) => {
    const trimmed = withoutBlankEnds(text);
    if (trimmed.length > 0) add({ cell_type: "markdown", metadata: {}, source: lines(trimmed.join("\n")) }, end - text.length + 1);
    text = [];
  };
  for (let i = 0; i < all.length; i++) {
    const line = all[i] ?? "";
    const region = REGION.exec(line);
    if (region) {
      const [, name = "", options = ""] = region;
      const end = regionEnd(all, i, name);
      if (end > i) {
        flush(i);
        add(regionCell(name, options, all.slice(i + 1, end)), i + 2);
        i = end;
        continue;
      }
    }
    const fence = /^(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence !== undefined) {
      const [, , language = "", options = ""] = FENCE.exec(line) ?? [];
      const end = all.findIndex((each, at) => at > i && each.trimEnd().startsWith(fence) && each.trim().replaceAll(fence[0] ?? "", "") === "");
      const isCode = language !== "" && dialect.isCode(language) && !/(^|\s)\.noeval\b/.test(options);
      if (isCode) {
        flush(i);
        add(codeCell(language, options, all.slice(i + 1, end < 0 ? undefined : end), dialect), i + 2);
        if (end < 0) return cells;
      } else text.push(...all.slice(i, end < 0 ? undefined : end + 1));
      if (end < 0) break;
      i = end;
      continue;
    }
    // Two blank lines part cells, except in an indented block.
    const isBreak = line === "" && all[i + 1] === "" && text.some((each) => each !== "") && !(all[i + 2] ?? "").startsWith("    ");
    if (isBreak) flush(i);
    else text.push(line);
  }
  flush(all.length);
  return cells;
}

/** The line that ends the region which begins at `start`; regions of its name may lie in it. -1 where none does. */
function regionEnd(all: string[], start: number, name: string): number {
  let depth = 0;
  return all.findIndex((line, i) => {
    if (i < start) return false;
    if (REGION.exec(line)?.[1] === name) depth++;
    else if (new RegExp(`^<!--\\s*#end${name}\\s*-->\\s*$`).test(line)) depth--;
    return depth === 0;
  });
}

function codeCell(word: string, options: string, source: string[], { main }: Dialect): Cell {
  const json = options.trim().startsWith("{");
  const { magic_args: args, ...own } = json ? parseOptions(options).metadata : parseKeys(options);
  const isMain = word.toLowerCase() === main || (main === "typescript" && word.toLowerCase() === "ts");
  const body = isMain ? source : withMagic(word, typeof args === "string" ? args : "", source);
  return { cell_type: "code", execution_count: null, metadata: own, outputs: [], source: lines(body.join("\n")) };
}

function regionCell(name: string, options: string, source: string[]): Cell {
  const { title, metadata } = parseOptions(options);
  const shown = { ...(title !== "" && { title }), ...metadata, ...((name === "markdown" || name === "md") && { region_name: name }) };
  return { cell_type: name === "raw" ? "raw" : "markdown", metadata: shown, source: lines(source.join("\n")) };
}

function withoutBlankEnds(text: string[]): string[] {
  const first = text.findIndex((line) => line !== "");
  const last = text.findLastIndex((line) => line !== "");
  return first < 0 ? [] : text.slice(first, last + 1);
}
