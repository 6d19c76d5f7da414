import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { outputDifferences, type OutputDifference } from "../compare/outputs.js";
import { UsageError } from "../parameters/parameter.js";
import { readNotebook } from "../read.js";
import { firstLine, runnableCells, type Progress } from "../run/execute.js";
import { checkRun, runNotebook } from "../run/run.js";
import { cellRecord } from "../run/provenance.js";
import { hasTag, type CodeCell, type Notebook } from "../types.js";
import { inLines } from "../run/outputs.js";
import { isTextNotebook } from "../text/index.js";
import { storedFile } from "../text/pair.js";
import { writeNotebook } from "../write.js";

/** How a cell ended: `passed`, `failed` (other outputs than those stored), `error` (it did not run to its end), `skipped` (its outputs are not compared, or it was not reached). */
export type CellStatus = "passed" | "failed" | "error" | "skipped";

export interface CellResult {
  /** Position among all cells, from 1. */
  cell: number;
  /** Its first line. */
  name: string;
  status: CellStatus;
  /** Seconds that it ran. */
  seconds: number;
  differences: OutputDifference[];
  /** Why it is an error, or was skipped. */
  message?: string;
}

export interface NotebookResult {
  notebook: string;
  passed: boolean;
  seconds: number;
  cells: CellResult[];
  /** Cells whose new outputs were stored. */
  updated: number;
  interrupted?: boolean;
}

export interface TestOptions {
  /** How far numbers may be apart, relative to the larger one. Default 0: they must be written alike. */
  rtol?: number;
  /** Seconds that a cell may take. */
  timeout?: number;
  kernel?: string;
  signal?: AbortSignal;
  /** Store the new outputs of cells that differ. */
  update?: boolean;
  onProgress?(progress: Progress): void;
}

/** Tags by which a cell's outputs are not compared. */
const IGNORED = ["ignore-output", "nbval-ignore-output"];

/**
 * Runs a notebook and compares what its cells show with the outputs that are stored in it. The notebook stays as it is,
 * unless `update` is asked for.
 * @throws UsageError for what is no notebook, and for one that was never run, unless it is updated
 */
export async function testNotebook(file: string, options: TestOptions = {}): Promise<NotebookResult> {
  const { rtol = 0, update = false, onProgress, ...run } = options;
  const stored = await readNotebook(file).catch((error: Error) => {
    throw new UsageError(error.message);
  });
  const cells = runnableCells(stored);
  const wasRun = cells.some((cell) => cell.execution_count !== null || cell.outputs.length > 0);
  if (!wasRun && cells.length > 0 && !update) throw new UsageError(`notebook: ${file} (has no outputs to compare with: it was never run; --update stores some)`);
  const folder = await mkdtemp(join(tmpdir(), "sdtp-test-"));
  const output = join(folder, `${basename(file)}.ipynb`);
  try {
    await checkRun(file, { ...run, output });
    const result = await runNotebook(file, { ...run, output, ...(onProgress && { onProgress }) });
    const fresh = await readNotebook(output).catch(() => undefined);
    const ran = fresh ? runnableCells(fresh) : [];
    const reached = result.status === "completed" ? result.total : result.completed;
    const results = cells.map((cell, i): CellResult => {
      const now = ran[i];
      const base = { cell: stored.cells.indexOf(cell) + 1, name: firstLine(cell), seconds: (now && cellRecord(now).duration) ?? 0 };
      if (result.stop && i === reached) return { ...base, status: "error", differences: [], message: result.stop.message };
      if (i > reached || !now) return { ...base, status: "skipped", differences: [], message: "was not reached" };
      if (IGNORED.some((tag) => hasTag(cell, tag))) return { ...base, status: "skipped", differences: [], message: `its outputs are not compared (tag ${IGNORED.find((tag) => hasTag(cell, tag))})` };
      const differences = outputDifferences(cell.outputs, now.outputs, { rtol, ignoreNumbers: hasTag(cell, "timing") });
      return { ...base, status: differences.length > 0 ? "failed" : "passed", differences };
    });
    const updated = update && result.status === "completed" ? await store(file, stored, cells, ran, results) : 0;
    const interrupted = result.status === "interrupted";
    const passed = !interrupted && results.every(({ status }) => status !== "error" && (status !== "failed" || update));
    return { notebook: file, passed, seconds: result.seconds, cells: results, updated, ...(interrupted && { interrupted }) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Stores the new outputs of cells that differ, and of all where none was stored. */
async function store(file: string, notebook: Notebook, cells: CodeCell[], ran: CodeCell[], results: CellResult[]): Promise<number> {
  const isNew = cells.every((cell) => cell.execution_count === null);
  let updated = 0;
  for (const [i, cell] of cells.entries()) {
    const now = ran[i];
    if (!now || !(isNew || results[i]?.status === "failed")) continue;
    cell.outputs = inLines(now.outputs);
    cell.execution_count = now.execution_count;
    updated++;
  }
  if (updated > 0) await writeNotebook(isTextNotebook(file) ? storedFile(file) : file, notebook);
  return updated;
}
