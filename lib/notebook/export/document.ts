import { withoutOverwritten } from "../overwritten.js";
import { withEncodedNames } from "./attachments.js";
import { type Attachments, type Cell, type CodeCell, joined, type Notebook, type Output, tags } from "../types.js";
import { imageTypes, isImage } from "./images.js";
import { isDisplay, textOf } from "./mime.js";
import { type CellOptions, cellOptions } from "./cell-options.js";
import type { ExportOptions } from "./options.js";
import { separated } from "./separated.js";

/** `folded`: behind a disclosure where the format has one, left out where it has none. */
export type Visibility = "shown" | "folded" | "removed";

export interface MarkdownPart {
  readonly kind: "markdown";
  /** Counts all cells from 1; names a cell in warnings. */
  readonly cell: number;
  readonly source: string;
  readonly attachments: Attachments;
}

export interface CodePart {
  readonly kind: "code";
  readonly cell: number;
  /** Counts code cells from 1; names pictures. */
  readonly number: number;
  readonly count: number | null;
  readonly source: string;
  readonly input: Visibility;
  readonly output: Visibility;
  readonly outputs: readonly Output[];
  /** A label and a caption for what the cell shows. */
  readonly options: CellOptions;
}

export interface RawPart {
  readonly kind: "raw";
  readonly source: string;
  /** The format it is for, as a MIME type; "" for any. */
  readonly format: string;
}

export type Part = MarkdownPart | CodePart | RawPart;

/**
 * A notebook as what of it is exported. Tags: `remove-cell`, `remove-input`, `remove-output` leave out;
 * `hide-cell`, `hide-input`, `hide-output` fold, as do JupyterLab's own collapsed cells.
 */
export function parts(notebook: Notebook, { template = "report", input = true, warn }: Pick<ExportOptions, "template" | "input" | "warn">): Part[] {
  let number = 0;
  return notebook.cells.flatMap((cell, at): Part[] => {
    const source = joined(cell.source);
    if (cell.cell_type === "code") number++;
    if (tags(cell).some((tag) => tag === "remove-cell" || tag === "remove_cell")) return [];
    if (cell.cell_type === "markdown") return [{ kind: "markdown", cell: at + 1, source: withEncodedNames(source, Object.keys(cell.attachments ?? {})), attachments: cell.attachments ?? {} }];
    if (cell.cell_type === "raw") return [{ kind: "raw", source, format: rawFormat(cell) }];
    const code = visibility(cell, "input");
    const { options, source: shown } = cellOptions(source);
    return [
      {
        kind: "code",
        cell: at + 1,
        number,
        count: cell.execution_count,
        source: shown,
        options,
        input: !input || shown.trim() === "" ? "removed" : template === "article" && code === "shown" ? "folded" : code,
        output: visibility(cell, "output"),
        outputs: merged(cell.outputs).filter(hasContent).map((output) => withoutDamaged(output, at + 1, warn)).flatMap(separated),
      },
    ];
  });
}

/** Types that an export can show. */
const showable = /^(text\/|image\/(png|jpeg|gif|webp|svg\+xml|avif|bmp)$|application\/(json|javascript|vnd\.plotly\.v1\+json)$)/;

/** An output without pictures that are none; `warn` says so, and where nothing is left that could be shown. */
function withoutDamaged(output: Output, cell: number, warn: ExportOptions["warn"]): Output {
  if (!isDisplay(output)) return output;
  const damaged = imageTypes.filter((type) => output.data[type] !== undefined && !isImage(type, output.data[type]));
  for (const type of damaged) warn?.(`cell ${cell}: its ${type} is no picture and is left out`);
  const data = damaged.length === 0 ? output.data : Object.fromEntries(Object.entries(output.data).filter(([type]) => !damaged.includes(type)));
  const types = Object.keys(data);
  if (damaged.length === 0 && types.length > 0 && !types.some((type) => showable.test(type))) warn?.(`cell ${cell}: an output is not shown: it is ${types.join(", ")} without a text or a picture`);
  return damaged.length === 0 ? output : { ...output, data };
}

function visibility(cell: CodeCell, part: "input" | "output"): Visibility {
  const found = tags(cell).map((tag) => tag.replaceAll("_", "-"));
  if (found.includes(`remove-${part}`)) return "removed";
  const { source_hidden, outputs_hidden } = (cell.metadata["jupyter"] ?? {}) as { source_hidden?: unknown; outputs_hidden?: unknown };
  const collapsed = part === "input" ? source_hidden === true : outputs_hidden === true || cell.metadata["collapsed"] === true;
  return collapsed || found.includes(`hide-${part}`) || found.includes("hide-cell") ? "folded" : "shown";
}

/** Not so what a program emptied after it showed it. */
export const hasContent = (output: Output): boolean => !isDisplay(output) || Object.values(output.data).some((content) => textOf(content) !== "");

/** nbformat calls it `format`, Jupyter Notebook `raw_mimetype`. */
function rawFormat(cell: Cell): string {
  return String(cell.metadata["raw_mimetype"] ?? cell.metadata["format"] ?? "");
}

/** Pieces of a stream that follow each other become one, as a terminal would have shown it. */
function merged(outputs: readonly Output[]): Output[] {
  const all: Output[] = [];
  for (const output of outputs) {
    const last = all.at(-1);
    if (output.output_type === "stream" && last?.output_type === "stream" && last.name === output.name) {
      all[all.length - 1] = { ...last, text: joined(last.text) + joined(output.text) };
    } else all.push(output);
  }
  return all.map((output) => (output.output_type === "stream" ? { ...output, text: withoutOverwritten(joined(output.text)).replace(/[\r\b]+$/, "") } : output));
}
