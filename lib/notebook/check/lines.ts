import { extname } from "node:path";
import { readText } from "../../files.js";
import { isTextNotebook, startsOf } from "../text/index.js";
import type { Notebook } from "../types.js";

/** The line of a notebook's file at which a line of a cell stands: both from 1, cells from 0. undefined where it is not known. */
export type SourceLines = (cell: number, line: number) => number | undefined;

/** Where the cells of a notebook's file begin. */
export async function sourceLines(file: string, notebook: Notebook): Promise<SourceLines> {
  const text = await readText("notebook", file);
  const starts = isTextNotebook(file) ? startsOf(text, file) : startsInJson(text, notebook);
  return (cell, line) => {
    const start = starts[cell];
    return start === undefined ? undefined : extname(file) === ".ipynb" && start.whole ? start.line : start.line + line - 1;
  };
}

interface Start {
  /** Of the cell's first line. */
  line: number;
  /** The source is one string: all its lines stand in one. */
  whole: boolean;
}

/** A notebook as nbformat writes it has each line of a source in a line of its own; in any other, nothing is known. */
function startsInJson(text: string, { cells }: Notebook): Start[] {
  const starts = text.split("\n").flatMap((line, i): Start[] => {
    if (/^ {2,6}"source": \[$/.test(line)) return [{ line: i + 2, whole: false }];
    return /^ {2,6}"source": (\[\]|")/.test(line) ? [{ line: i + 1, whole: true }] : [];
  });
  return starts.length === cells.length ? starts : [];
}

