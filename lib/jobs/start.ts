import { spawn } from "node:child_process";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { lastWords } from "../bench/isolate.js";
import { packageRoot } from "../checkpoint/package-root.js";
import { files } from "./folder.js";
import { JOB_ATTEMPT, JOB_FOLDER } from "./report.js";
import { jobState, type JobState, logTail } from "./state.js";
import { findJob, jobFile, type JobAsked, lastAttempt, newJob, removeJob } from "./store.js";

/** Milliseconds between two looks at whether it has begun. */
const INTERVAL = 50;

/**
 * Starts an `sdtp` command that goes on by itself: in a session of its own, away from this terminal, kernel or server.
 * Resolves when it works, with its id.
 * @throws where it ends before: what it said. There is no job then.
 */
export async function startJob(asked: Pick<JobAsked, "args" | "cwd" | "folder">): Promise<string> {
  const job = await newJob(asked);
  try {
    await launch(job, 1, job.args);
  } catch (error) {
    await removeJob(job.id);
    throw error;
  }
  return job.id;
}

/**
 * Goes on with a job that has ended, where it was.
 * @param more words that its command gets this time
 * @throws where it runs, is done, or does not start
 */
export async function resumeJob(wanted: string, more: readonly string[] = []): Promise<JobState> {
  const state = await jobState(wanted);
  const { id, status } = state;
  if (status === "running" || status === "elsewhere") throw new Error(`job: ${id} (${status === "running" ? "runs" : `was started on ${state.host}, and may run there`})`);
  if (status === "done" && more.length === 0) throw new Error(`job: ${id} (is done)`);
  if (!(await stat(state.cwd).catch(() => undefined))?.isDirectory()) throw new Error(`job: ${id} (its folder ${state.cwd} is not there any more)`);
  const job = await findJob(id);
  await launch(job, (await lastAttempt(id)) + 1, [...job.args, ...more.filter((word) => !job.args.includes(word))]);
  return jobState(id);
}

async function launch({ id, cwd }: JobAsked, attempt: number, args: readonly string[]): Promise<void> {
  const log = await open(jobFile(id, files.log), "a");
  const before = (await log.stat()).size;
  try {
    const child = spawn(process.execPath, [join(packageRoot(), "lib", "cli", "sdtp.mjs"), ...args], {
      cwd, detached: true, windowsHide: true, stdio: ["ignore", log.fd, log.fd],
      env: { ...process.env, [JOB_FOLDER]: jobFile(id, ""), [JOB_ATTEMPT]: String(attempt) },
    });
    const ended = new Promise<string>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(code === 0 ? "" : `ended with ${signal ?? `code ${code}`}`));
    });
    child.unref();
    let how: string | undefined;
    void ended.then((text) => (how = text));
    while (how === undefined && !(await begun(id, attempt))) await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    // One that is quick may have ended by now, and well.
    if (how !== undefined && how !== "" && !(await begun(id, attempt))) {
      const said = (await logTail(id)).slice(before === 0 ? 0 : -2000);
      throw new Error(/^sdtp: (.+)/m.exec(said)?.[1] ?? (lastWords(said) || `job: ${how}`));
    }
  } finally {
    await log.close();
  }
}

/** Whether this attempt has a process that has said how far it is. */
async function begun(id: string, attempt: number): Promise<boolean> {
  const [identity, progress] = [await stat(jobFile(id, files.process(attempt))).catch(() => null), await stat(jobFile(id, files.progress)).catch(() => null)];
  if (attempt === 1) return identity !== null && progress !== null;
  return identity !== null && progress !== null && progress.mtimeMs >= identity.mtimeMs;
}
