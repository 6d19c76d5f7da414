import { dirname, resolve } from "node:path";
import type { CellDiagnostic, CheckedCell, Kernel } from "../../jupyter/index.js";
import { UsageError } from "../parameters/parameter.js";
import { readNotebook } from "../read.js";
import { runnableCells } from "../run/execute.js";
import { chooseKernel, startKernel } from "../run/kernel.js";
import { hasTag, joined, type CodeCell, type Notebook } from "../types.js";
import { sourceLines, type SourceLines } from "./lines.js";

/** An error of a cell, found without running it. */
export interface Problem extends CellDiagnostic {
  notebook: string;
  /** Position among all cells of the notebook, from 1. */
  cell: number;
  /** Its id, where it has one. */
  id?: string;
  /** Line of the notebook's file; where the error is in a module, of that. */
  fileLine?: number;
  /** The line of code. */
  source?: string;
}

/** What {@link checkNotebooks} found in one notebook. */
export interface Checked {
  notebook: string;
  /** Cells that were checked. */
  cells: number;
  problems: Problem[];
  /** Why it was not checked: another kernel's notebook. */
  skipped?: string;
  /** What a tsconfig.json asks for in vain. */
  remark?: string;
}

export interface CheckOptions {
  signal?: AbortSignal;
  /** Called for each notebook that was checked. */
  onChecked?(checked: Checked, done: number, total: number): void;
}

/**
 * Checks the types of whole notebooks as the kernel would before it ran them, and runs nothing. Notebooks of one folder
 * share a kernel, which is started there: packages and tsconfig.json are found as in a run.
 * @throws UsageError for a file that is no notebook
 */
export async function checkNotebooks(files: string[], { signal, onChecked }: CheckOptions = {}): Promise<Checked[]> {
  const notebooks = await Promise.all(files.map(async (file) => ({ file, notebook: await read(file) })));
  const results: Checked[] = [];
  let running: { kernel: Kernel; folder: string } | undefined;
  try {
    for (const { file, notebook } of notebooks) {
      signal?.throwIfAborted();
      const chosen = chooseKernel(notebook);
      let checked: Checked = { notebook: file, cells: 0, problems: [], skipped: `kernel ${chosen.name}: only notebooks of the kernel sdtp are checked` };
      if (chosen.own) {
        const folder = dirname(resolve(file));
        if (running && running.folder !== folder) {
          await running.kernel.shutdown();
          running = undefined;
        }
        running ??= { kernel: await startKernel(chosen, resolve(file), signal ? { signal } : {}), folder };
        checked = await checkOne(file, notebook, running.kernel, signal);
      }
      results.push(checked);
      onChecked?.(checked, results.length, files.length);
    }
  } finally {
    await running?.kernel.shutdown();
  }
  return results;
}

async function checkOne(file: string, notebook: Notebook, kernel: Kernel, signal?: AbortSignal): Promise<Checked> {
  const cells = runnableCells(notebook);
  const { cells: checked, remark } = await kernel.client.check(cells.map((cell) => joined(cell.source)), signal ? { signal } : {});
  const lineOf = await sourceLines(file, notebook);
  const problems = cells.flatMap((cell, i) => (hasTag(cell, "raises-exception") ? [] : problemsOf(file, notebook, cell, checked[i] as CheckedCell, lineOf)));
  return { notebook: file, cells: cells.length, problems, ...(remark !== undefined && { remark }) };
}

function problemsOf(file: string, { cells }: Notebook, cell: CodeCell, { diagnostics, more }: CheckedCell, lineOf: SourceLines): Problem[] {
  const position = cells.indexOf(cell);
  const source = joined(cell.source).split("\n");
  return diagnostics.map((each, i): Problem => {
    const line = each.file === undefined ? lineOf(position, each.line) : undefined;
    const text = each.file === undefined ? source[each.line - 1] : undefined;
    const message = i === diagnostics.length - 1 && more > 0 ? `${each.message} (and ${more} more errors in this cell)` : each.message;
    return { ...each, message, notebook: file, cell: position + 1, ...(cell.id !== undefined && { id: cell.id }), ...(line !== undefined && { fileLine: line }), ...(text !== undefined && { source: text }) };
  });
}

const read = (file: string): Promise<Notebook> =>
  readNotebook(file).catch((error: Error) => {
    throw new UsageError(error.message);
  });
