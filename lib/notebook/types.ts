/**
 * Notebooks as nbformat 4 has them. Fields and metadata that are not listed here are kept as they are.
 * Source: https://nbformat.readthedocs.io/en/latest/format_description.html
 */
import type { Json, JsonObject } from "../jupyter/messages.js";

/** Text as nbformat stores it: whole, or in lines that keep their line ends. {@link joined} reads it. */
export type MultilineText = string | string[];

export interface Notebook {
  nbformat: 4;
  /** 5 and later: every cell has an id. */
  nbformat_minor: number;
  metadata: NotebookMetadata;
  cells: Cell[];
}

export type NotebookMetadata = JsonObject & {
  kernelspec?: JsonObject & { name?: string; display_name?: string; language?: string };
  language_info?: JsonObject & { name?: string; file_extension?: string };
  title?: string;
};

export type CellMetadata = JsonObject & { tags?: string[] };

/** MIME type -> the data of attached files, by file name. */
export type Attachments = Record<string, Record<string, MultilineText>>;

interface CellBase {
  id?: string;
  metadata: CellMetadata;
  source: MultilineText;
}

export interface MarkdownCell extends CellBase {
  cell_type: "markdown";
  attachments?: Attachments;
}

export interface RawCell extends CellBase {
  cell_type: "raw";
  attachments?: Attachments;
}

export interface CodeCell extends CellBase {
  cell_type: "code";
  /** null: not executed. */
  execution_count: number | null;
  outputs: Output[];
}

export type Cell = MarkdownCell | RawCell | CodeCell;

export interface StreamOutput {
  output_type: "stream";
  name: "stdout" | "stderr";
  text: MultilineText;
}

/** Data by MIME type: text (base64 for binary types), or any JSON for `application/json` and `*+json`. */
export type MimeData = Record<string, Json>;

export interface DisplayOutput {
  output_type: "display_data";
  data: MimeData;
  metadata: JsonObject;
}

export interface ResultOutput {
  output_type: "execute_result";
  execution_count: number | null;
  data: MimeData;
  metadata: JsonObject;
}

export interface ErrorOutput {
  output_type: "error";
  ename: string;
  evalue: string;
  /** Lines, often with ANSI colours. */
  traceback: string[];
}

export type Output = StreamOutput | DisplayOutput | ResultOutput | ErrorOutput;

/** Text in one piece. */
export function joined(text: MultilineText): string {
  return typeof text === "string" ? text : text.join("");
}

/** Text in lines that keep their line ends, as notebooks are usually stored. */
export function lines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

export function tags(cell: Cell): string[] {
  return cell.metadata.tags ?? [];
}

export function hasTag(cell: Cell, tag: string): boolean {
  return tags(cell).includes(tag);
}
