import { existsSync, statSync } from "node:fs";
import { utimes } from "node:fs/promises";
import { dirname, join, parse, resolve } from "node:path";
import { KernelDied, KernelTimeout, type Kernel, type KernelInfoReply } from "../../jupyter/index.js";
import { cellNote, setCellNote } from "../cell-note.js";
import { outputsHash, RunCache } from "../cache/cache.js";
import { withValidIds } from "../cell-ids.js";
import { freeId, injectParameters } from "../parameters/inject.js";
import { UsageError, type Values } from "../parameters/parameter.js";
import { readNotebook } from "../read.js";
import { samePath } from "../same-path.js";
import { sameInputs } from "../text/combine.js";
import { isTextNotebook } from "../text/index.js";
import { inputsOf, storedFile } from "../text/pair.js";
import type { Cell, CodeCell, Notebook } from "../types.js";
import { writeNotebook } from "../write.js";
import { addErrorMarkers, removeErrorMarkers } from "./errors.js";
import { executeCells, runnableCells, type CellOptions, type Progress, type Stop } from "./execute.js";
import type { Changed } from "./changed.js";
import { chooseKernel, startKernel, type ChosenKernel } from "./kernel.js";
import { inLines, OutputRecorder } from "./outputs.js";
import { recordEnd, recordRun, type RunStatus } from "./provenance.js";

export interface RunOptions extends CellOptions {
  /** Where the notebook with its outputs goes. Default: `NAME.out.ipynb` beside the notebook; of a text notebook without values, the .ipynb that has its outputs. */
  output?: string;
  /** Values of parameters. */
  values?: Values;
  /** A kernel's name, instead of the notebook's own. */
  kernel?: string;
  /**
   * Do not run the cells at the top that ran before for this output and did not change, nor did what they depend on,
   * where the variables that the others need can be had; and save variables after each cell for the next time.
   */
  cache?: boolean;
  /**
   * Run only cells that changed since the last run of this output, those that depend on them, and those whose variables
   * these need. For this package's own kernel, and not together with `cache`.
   */
  changed?: boolean;
  /** Position, from 1, of a cell that runs in any case, with all after it. Implies `cache`. */
  fromCell?: number;
  onProgress?(progress: Progress): void;
  /** What may be good to know: why a cached cell runs all the same. */
  onNote?(text: string): void;
  /** Told of what was mended in the notebook before it ran. */
  onWarning?(text: string): void;
}

export interface RunResult {
  status: Exclude<RunStatus, "running">;
  output: string;
  /** Code cells that ran to their end, and those there are to run. */
  completed: number;
  total: number;
  /** Of the completed, those that were not run because nothing had changed. */
  cached: number;
  seconds: number;
  /** Why it stopped; undefined where every cell completed. */
  stop?: Pick<Stop, "message"> & Partial<Stop>;
}

const EXIT_CODES = { completed: 0, failed: 1, died: 3, timeout: 4, interrupted: 130 } as const;

/** What `sdtp run` exits with. */
export function exitCode({ status }: Pick<RunResult, "status">): number {
  return EXIT_CODES[status];
}

export function defaultOutput(file: string): string {
  const { dir, name } = parse(file);
  return join(dir, `${name}.out.ipynb`);
}

/**
 * Runs a notebook from its first cell to its last in a new kernel, in the notebook's folder, and writes it with its
 * outputs to another file: before the first cell, after each, and at the end. A cell that fails, is interrupted, takes too
 * long or takes the kernel with it ends the run; the notebook then has a banner that says where.
 * @throws UsageError before anything has run: no notebook, wrong parameters, no such kernel, the output is the notebook
 */
export async function runNotebook(file: string, options: RunOptions = {}): Promise<RunResult> {
  const { values = {}, signal } = options;
  const { output, notebook, chosen } = await checkRun(file, options);
  if (options.changed && (options.cache || options.fromCell !== undefined)) throw new UsageError("--changed: not together with --cache or --from-cell");
  if (options.changed && !chosen.own) throw new UsageError(`--changed: is for the kernel sdtp, not ${chosen.name}`);
  let kept = 0;
  const enabled = options.cache === true || options.fromCell !== undefined;
  const cache = await RunCache.open({ notebook, file, output, kernel: chosen, enabled, ...(options.fromCell !== undefined && { fromCell: options.fromCell }) });
  const start = new Date();
  const total = runnableCells(notebook).length;
  const result = (status: RunResult["status"], completed: number, stop?: RunResult["stop"]): RunResult => ({
    status, output, completed, total, cached: Math.min(cache.first, completed) + kept, seconds: (Date.now() - start.getTime()) / 1e3, ...(stop && { stop }),
  });

  const save = () => writeNotebook(output, { ...notebook, cells: notebook.cells.map(stored) });
  if (enabled && cache.first === total && total > 0) {
    notebook.metadata = (await readNotebook(output)).metadata;
    await save();
    return result("completed", total);
  }

  let kernel: Kernel;
  try {
    kernel = await startKernel(chosen, resolve(file), signal ? { signal } : {});
  } catch (error) {
    if (signal?.aborted) return result("interrupted", 0, { message: "interrupted" });
    if (!(error instanceof KernelDied || error instanceof KernelTimeout)) throw error;
    return result("died", 0, { message: `kernel ${chosen.name} did not start: ${error.message}` });
  }
  try {
    const info = await kernel.client.kernelInfo();
    describe(notebook, chosen, info);
    recordRun(notebook, { input: file, output, values, start, folder: dirname(resolve(file)), kernel: { name: chosen.name, info } });
    await begin(cache, kernel, options);
    const recorder = new OutputRecorder();
    const plan = options.changed ? await (await import("./changed.js")).planChanged(notebook, file, output, chosen, kernel) : undefined;
    if (plan) noteKept(notebook, plan);
    kept = plan?.kept.size ?? 0;
    const afterCell = async (cell: CodeCell) => {
      await cache.afterCell(kernel, cell);
      const key = plan?.keys[runnableCells(notebook).indexOf(cell)];
      if (key !== undefined) setCellNote(cell, { ...cellNote(cell), key });
    };
    const stop = await executeCells(notebook, kernel, recorder, { ...options, save, afterCell, ...(plan && { kept: plan.kept }) }, cache.first);
    recordEnd(notebook, stop?.status ?? "completed", new Date());
    if (stop && stop.status !== "interrupted") addErrorMarkers(notebook, stop.cell, BANNERS[stop.status]);
    await save();
    cache.end();
    return stop ? result(stop.status, stop.number - 1, stop) : result("completed", total);
  } finally {
    await kernel.shutdown();
    // jupytext takes an .ipynb that is newer than its text for one that was changed.
    if (notebook.metadata["jupytext"] !== undefined && isTextNotebook(file) && samePath(output, storedFile(file))) await utimes(file, new Date(), new Date());
  }
}

/** Notes of cells that keep their outputs. */
function noteKept(notebook: Notebook, { kept, keys }: Changed): void {
  for (const [i, cell] of runnableCells(notebook).entries()) if (kept.has(i)) setCellNote(cell, { key: keys[i]!, cached: true });
}

/** Everything that can be wrong before a run begins. @throws UsageError as {@link runNotebook} does */
export async function checkRun(file: string, { output: given, values = {}, kernel, onWarning }: RunOptions): Promise<{ output: string; notebook: Notebook; chosen: ChosenKernel }> {
  const keepsOutputs = isTextNotebook(file) && Object.keys(values).length === 0;
  const output = given ?? (keepsOutputs ? storedFile(file) : defaultOutput(file));
  if (samePath(file, output)) throw new UsageError(`output: ${output} (is the notebook itself)`);
  if (isTextNotebook(output)) throw new UsageError(`output: ${output} (outputs need an .ipynb file)`);
  if (isTextNotebook(file) && samePath(output, storedFile(file))) await requireUnchanged(file, output);
  const notebook = await prepared(file, values, onWarning);
  return { output, notebook, chosen: chooseKernel(notebook, kernel) };
}

/** @throws UsageError where the .ipynb of a text notebook was changed since: its cells would be lost */
async function requireUnchanged(text: string, stored: string): Promise<void> {
  if (!existsSync(stored) || !existsSync(text) || statSync(stored).mtimeMs <= statSync(text).mtimeMs) return;
  const [written, kept] = await Promise.all([readNotebook(text), readNotebook(stored)]).catch((error: Error) => {
    throw new UsageError(error.message);
  });
  if (!sameInputs(written.cells, inputsOf(kept))) throw new UsageError(`output: ${stored} (has other cells than ${text} and was changed later; \`sdtp convert ${text} --sync\` brings them into the text, -o names another output)`);
}

/** Makes a new kernel ready for the first cell that runs. */
async function begin(cache: RunCache, kernel: Kernel, { onNote }: RunOptions): Promise<void> {
  // The compiler starts with the first cell, whose time this should not count for.
  const warm = async () => {
    if (cache.options.kernel.own) await kernel.client.execute("undefined", { silent: true });
    await cache.begin(kernel);
  };
  await warm();
  if (cache.because !== undefined) onNote?.(cache.because);
  if (cache.first === 0) return;
  try {
    await cache.restore(kernel);
  } catch (error) {
    const because = `the variables could not be restored (${(error as Error).message})`;
    onNote?.(`${because}: every cell runs`);
    cache.giveUp(because);
    await kernel.restart();
    await warm();
  }
}

const BANNERS = { failed: "An Exception was encountered", died: "The kernel died", timeout: "The time limit was exceeded" };

/** The notebook with its parameters set, without marks of an earlier run, in the format whose cells have ids. */
async function prepared(file: string, values: Values, onWarning: RunOptions["onWarning"]): Promise<Notebook> {
  const notebook = await readNotebook(file).catch((error: Error) => {
    throw new UsageError(error.message);
  });
  removeErrorMarkers(notebook);
  notebook.nbformat_minor = Math.max(5, notebook.nbformat_minor);
  for (const [i, cell] of notebook.cells.entries()) if (cell.id === undefined) cell.id = freeId(notebook, `cell-${i + 1}`);
  const { notebook: valid, mended } = withValidIds(notebook);
  notebook.cells = valid.cells;
  for (const each of mended) onWarning?.(`${file}: ${each}`);
  await injectParameters(notebook, values);
  return notebook;
}

/** Says in the notebook what it ran on, as Jupyter does. */
function describe(notebook: Notebook, { name, spec }: ChosenKernel, { language_info }: KernelInfoReply): void {
  notebook.metadata.kernelspec = { ...notebook.metadata.kernelspec, name, display_name: spec.display_name ?? name, language: spec.language ?? language_info.name };
  notebook.metadata.language_info = { ...language_info };
}

/** A cell as it is written, with what {@link RunCache} knows its outputs by. */
function stored(cell: Cell): Cell {
  if (cell.cell_type !== "code") return cell;
  const note = cellNote(cell);
  const written = { ...cell, outputs: inLines(cell.outputs), metadata: { ...cell.metadata } };
  if (note.hash !== undefined || note.key !== undefined) setCellNote(written, { ...note, outputs: outputsHash(cell) });
  return written;
}
