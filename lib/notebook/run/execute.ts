import { KernelDied, type ExecuteReply, type Kernel } from "../../jupyter/index.js";
import { plainText } from "../plain-text.js";
import { hasTag, joined, type Cell, type CodeCell, type Notebook } from "../types.js";
import { errorLine } from "./errors.js";
import type { OutputRecorder } from "./outputs.js";
import { PENDING, recordCell, type RunStatus } from "./provenance.js";

/** Milliseconds that an interrupted cell has to end by itself. */
const GRACE = 5000;

export interface Progress {
  /** Position among the code cells that run, from 1. */
  number: number;
  total: number;
  cell: CodeCell;
  /** The cell's first line with something on it. */
  firstLine: string;
  /** Seconds, once the cell has ended. */
  seconds?: number;
  failed?: boolean;
}

export interface CellOptions {
  /** Seconds that a cell may take; without it, any time. */
  timeout?: number;
  allowErrors?: boolean;
  signal?: AbortSignal;
}

export interface ExecuteOptions extends CellOptions {
  /** Called before the first cell, and whenever something has changed. */
  save(): Promise<void>;
  onProgress?(progress: Progress): void;
  /** Cells that are left out, by their position in {@link runnableCells}. */
  kept?: Set<number>;
  /** Called after a cell that completed without any error. */
  afterCell?(cell: CodeCell): Promise<void>;
}

/** Why a run stopped. */
export interface Stop {
  status: Exclude<RunStatus, "running" | "completed">;
  cell: CodeCell;
  /** Position among the code cells, from 1. */
  number: number;
  message: string;
}

/** The cells that run: code that is not empty and not tagged `skip` (or nbclient's `skip-execution`). */
export function runnableCells({ cells }: Notebook): CodeCell[] {
  return cells.filter((cell): cell is CodeCell => cell.cell_type === "code" && joined(cell.source).trim() !== "" && !hasTag(cell, "skip") && !hasTag(cell, "skip-execution"));
}

/**
 * Runs cells in order, with their outputs into the notebook.
 * @param first position in {@link runnableCells} of the first cell to run
 * @returns why it stopped; undefined where every cell completed
 */
export async function executeCells(notebook: Notebook, kernel: Kernel, recorder: OutputRecorder, options: ExecuteOptions, first = 0): Promise<Stop | undefined> {
  const all = runnableCells(notebook);
  const cells = all.filter((_, i) => i >= first && !options.kept?.has(i));
  for (const cell of cells) {
    Object.assign(cell, { outputs: [], execution_count: null });
    recordCell(cell, PENDING);
  }
  await options.save();
  for (const cell of cells) {
    const progress: Progress = { number: all.indexOf(cell) + 1, total: all.length, cell, firstLine: firstLine(cell) };
    options.onProgress?.(progress);
    const start = new Date();
    const begun = performance.now();
    recordCell(cell, { ...PENDING, start_time: start.toISOString(), status: "running" });
    recorder.begin(cell);
    const end = await runCell(cell, kernel, recorder, options);
    const duration = (performance.now() - begun) / 1e3;
    const failed = end !== undefined;
    recordCell(cell, { start_time: start.toISOString(), end_time: new Date().toISOString(), duration, exception: failed, status: failed ? "failed" : "completed" });
    options.onProgress?.({ ...progress, seconds: duration, failed });
    if (!failed && !cell.outputs.some((output) => output.output_type === "error")) await options.afterCell?.(cell);
    await options.save();
    if (end) return { ...end, cell, number: progress.number };
  }
  return undefined;
}

/** @returns why the run has to stop */
async function runCell(cell: CodeCell, kernel: Kernel, recorder: OutputRecorder, { timeout, allowErrors, signal }: CellOptions): Promise<Pick<Stop, "status" | "message"> | undefined> {
  const running = kernel.client.execute(joined(cell.source), {
    // The next cell is sent only once this one has ended: there is never anything else to abort.
    stop_on_error: false,
    onOutput: (message) => {
      if (message.header.msg_type === "execute_input") cell.execution_count = Number(message.content.execution_count);
      recorder.receive(message);
    },
  });
  const ended = running.then((reply) => ({ reply }), (error: Error) => ({ error }));
  const stopped = await unlessStopped(ended, timeout, signal);
  if (typeof stopped === "string") {
    await kernel.interrupt({ timeout: GRACE }).catch(() => undefined);
    await Promise.race([ended, delay(GRACE)]);
    const message = stopped === "timeout" ? `ran longer than ${timeout} s` : "interrupted";
    return { status: stopped, message };
  }
  if ("error" in stopped) {
    const { error } = stopped;
    if (signal?.aborted) return { status: "interrupted", message: "interrupted" };
    if (!(error instanceof KernelDied)) throw error;
    return { status: "died", message: error.message };
  }
  return verdict(stopped.reply, cell, allowErrors === true || hasTag(cell, "raises-exception"));
}

function verdict(reply: ExecuteReply, cell: CodeCell, allowed: boolean): Pick<Stop, "status" | "message"> | undefined {
  if (reply.status === "ok") return undefined;
  const { ename = reply.status, evalue = "", traceback = [] } = reply;
  // Our kernel outlives the process that held the variables; for the notebook they are gone all the same.
  const lost = /^(ProcessExit|ProcessCrashed|ProcessKilled|OutOfMemory)$/.test(ename) && evalue.includes("all variables are gone");
  if (lost) return { status: "died", message: `${ename}: ${plainText(evalue)}` };
  if (allowed) return undefined;
  const line = errorLine({ traceback }, cell.execution_count);
  const source = line === undefined ? undefined : joined(cell.source).split("\n")[line - 1];
  const place = source === undefined ? "" : `line ${line}: `;
  return { status: "failed", message: `${place}${ename}: ${plainText(evalue)}${source === undefined ? "" : `\n    ${source.trim()}`}` };
}

export function firstLine(cell: Cell): string {
  return joined(cell.source).split("\n").find((line) => line.trim() !== "")?.trim() ?? "";
}

/** `work`, or why it is not waited for any longer. `work` does not reject. */
function unlessStopped<T>(work: Promise<T>, seconds: number | undefined, signal: AbortSignal | undefined): Promise<T | "timeout" | "interrupted"> {
  return new Promise((resolve) => {
    const settle = (value: T | "timeout" | "interrupted") => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      resolve(value);
    };
    const abort = () => settle("interrupted");
    // Node takes no longer time than this.
    const timer = seconds === undefined ? undefined : setTimeout(settle, Math.min(seconds * 1e3, 2 ** 31 - 1), "timeout");
    if (signal?.aborted) return abort();
    signal?.addEventListener("abort", abort);
    void work.then(settle);
  });
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds).unref());
}
