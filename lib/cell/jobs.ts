import type { JobState } from "../jobs/state.js";
import type { SweepOptions, SweepRow } from "../bench/sweep/sweep.js";
import type { Showing } from "./bench.js";
import { escapeHtml } from "../escape-html.js";
import { shown, type Shown } from "../report/views/view.js";
import { live } from "./live.js";
import { cellSignal } from "./notebook.js";
import { sweepBody } from "./sweep-body.js";

export type { JobState, JobStatus } from "../jobs/state.js";
export type { JobProgress } from "../jobs/store.js";

/** A job as it was when it was last looked at, with its rows. */
export interface AttachedJob extends JobState {
  readonly rows: readonly SweepRow[];
}

/** Milliseconds between two looks. */
const INTERVAL = 500;

/**
 * Follows a job that goes on by itself (`sdtp sweep --detach`, `sdtp.detach`), from any notebook: a progress bar and the rows so
 * far, in place, until it ends. Interrupting the cell ends the looking, not the job.
 * @param id as `sdtp jobs` shows it, or as much of it as no other one begins with
 * @returns the job with all its rows, for `frame`, `sweepTable`, `chart`
 * @throws where there is no such job; AbortError where the cell is interrupted
 * @example
 * const job = await sdtp.attach("k3m9qd");
 * sdtp.frame(job.rows)
 */
export async function attach(id: string, { show, signal: given }: Showing & { readonly signal?: AbortSignal } = {}): Promise<Shown<AttachedJob>> {
  const signal = cellSignal(given);
  const [{ jobState }, { readRows }, { jobProgress }] = await Promise.all([import("../jobs/state.js"), import("../jobs/store.js"), import("../report/jobs.js")]);
  let state = await jobState(id);
  const output = live(show);
  let rows: SweepRow[] = [];
  let last = `job ${state.id}: not looked at any more; it goes on`;
  try {
    for (;;) {
      rows = await readRows(state.id);
      const { progress, status } = state;
      output?.update(progress?.share ?? 0, `job ${state.id}: ${progress?.label ?? "starts"}`, progress?.secondsLeft ?? null);
      output?.show(sweepBody(rows, []));
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
 * Starts a sweep that goes on by itself, whatever becomes of this kernel: what `sdtp sweep --detach` does.
 * @returns its id, for `attach` and `sdtp jobs`
 * @throws on bad input, and on what no command line can say: methods made in a cell, callbacks
 * @example
 * const id = await sdtp.detach({ configs: ["baseline", "keep07"], lengths: [1024, 4096] });
 * await sdtp.attach(id)
 */
export async function detach(options: Omit<SweepOptions, "signal" | "onProgress" | "onFailed"> = {}): Promise<string> {
  const [{ startJob }, { sweepWords }, { resolve }] = await Promise.all([import("../jobs/start.js"), import("../bench/sweep/words.js"), import("node:path")]);
  return startJob({ args: ["sweep", ...sweepWords(options)], cwd: process.cwd(), folder: resolve(options.folder ?? "results/sweep") });
}

/**
 * All jobs of this user, the oldest first.
 * @example
 * (await sdtp.jobs()).filter(({ status }) => status === "running")
 */
export async function jobs(): Promise<JobState[]> {
  return (await (await import("../jobs/state.js")).jobStates()).jobs;
}
