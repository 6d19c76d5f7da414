import type { JobState } from "../jobs/state.js";
import type { SweepOptions, SweepRow } from "../bench/sweep/sweep.js";
import type { Showing } from "./bench.js";
import { escapeHtml } from "../escape-html.js";
import { shown, type Shown } from "../report/views/view.js";
import { live } from "./live.js";
import { cellSignal } from "./notebook.js";
import { jobBody } from "./job-body.js";

export type { JobState, JobStatus } from "../jobs/state.js";
export type { JobProgress } from "../jobs/store.js";

/** A job as it was when it was last looked at, with its rows. */
export interface AttachedJob<Row extends object = SweepRow> extends JobState {
  /** Of a sweep its rows, of an evaluation one a prompt and configuration, of a training its steps; of what has none, none. */
  readonly rows: readonly Row[];
}

/** Milliseconds between two looks. */
const INTERVAL = 500;

/**
 * Follows a job that goes on by itself (`sdtp sweep --detach` and the like, `sdtp.detach`), from any notebook: a progress bar and
 * the rows so far, in place, until it ends. Interrupting the cell ends the looking, not the job.
 * @param id as `sdtp jobs` shows it, or as much of it as no other one begins with
 * @returns the job with all its rows, for `frame`, `sweepTable`, `chart`; `attach<sdtp.EvaluationRow>(id)` where it is no sweep
 * @throws where there is no such job; AbortError where the cell is interrupted
 * @example
 * const job = await sdtp.attach("k3m9qd");
 * sdtp.frame(job.rows)
 */
export async function attach<Row extends object = SweepRow>(id: string, { show, signal: given }: Showing & { readonly signal?: AbortSignal } = {}): Promise<Shown<AttachedJob<Row>>> {
  const signal = cellSignal(given);
  const [{ jobState }, { JobRows }, { jobProgress }] = await Promise.all([import("../jobs/state.js"), import("../jobs/rows.js"), import("../report/jobs.js")]);
  let state = await jobState(id);
  const output = live(show);
  const told = new JobRows<Row>(state.id);
  let rows: readonly Row[] = [];
  let last = `job ${state.id}: not looked at any more; it goes on`;
  try {
    for (;;) {
      rows = await told.read();
      const { progress, status } = state;
      output?.update(progress?.share ?? 0, `job ${state.id}: ${progress?.label ?? "starts"}`, progress?.secondsLeft ?? null);
      output?.show(jobBody(rows));
      if (status !== "running") break;
      await paused(signal);
      state = await jobState(state.id);
    }
    last = `job ${state.id}: ${state.status}${state.reason === null ? "" : `: ${state.reason}`}, ${rows.length} rows`;
  } finally {
    output?.end(last);
  }
  const text = `Job ${state.id}: ${state.status}, ${rows.length} rows, ${jobProgress(state)}`;
  return shown({ ...state, rows }, { title: `Job ${state.id}`, text, html: () => `<p>${escapeHtml(text)}</p>` });
}

function paused(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, INTERVAL);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}

/**
 * Starts a sweep that goes on by itself, whatever becomes of this kernel: what `sdtp sweep --detach` does. Or, given as words,
 * any command that can be detached.
 * @returns its id, for `attach` and `sdtp jobs`
 * @throws on bad input, and on what no command line can say: methods made in a cell, callbacks
 * @example
 * const id = await sdtp.detach({ configs: ["baseline", "keep07"], lengths: [1024, 4096] });
 * await sdtp.attach(id)
 * @example
 * await sdtp.attach<sdtp.EvaluationRow>(await sdtp.detach(["evaluate", "retrieval", "--config", "keep07", "--lengths", "4096"]))
 */
export async function detach(asked: Omit<SweepOptions, "signal" | "onProgress" | "onFailed"> | readonly string[] = {}): Promise<string> {
  const { startCommand, startJob } = await import("../jobs/start.js");
  if (isWords(asked)) return startCommand(asked);
  const [{ sweepWords }, { resolve }] = await Promise.all([import("../bench/sweep/words.js"), import("node:path")]);
  return (await startJob({ args: ["sweep", ...sweepWords(asked)], cwd: process.cwd(), folder: resolve(asked.folder ?? "results/sweep") })).id;
}

function isWords(asked: unknown): asked is readonly string[] {
  if (!Array.isArray(asked)) return false;
  const other: unknown = asked.find((word) => typeof word !== "string");
  if (other !== undefined || asked.length === 0) throw new Error(`detach: ${other === undefined ? "no words" : `${String(other)} (a ${typeof other})`} (must be the words of a command, each a string: ["evaluate", "perplexity", "--lengths", "4096"])`);
  return true;
}

/**
 * All jobs of this user, the oldest first.
 * @example
 * (await sdtp.jobs()).filter(({ status }) => status === "running")
 */
export async function jobs(): Promise<JobState[]> {
  return (await (await import("../jobs/state.js")).jobStates()).jobs;
}
