import { execFile, spawn } from "node:child_process";
import { open, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { lastWords } from "../bench/isolate.js";
import { packageRoot } from "../checkpoint/package-root.js";
import { files } from "./folder.js";
import { JOB_ATTEMPT, JOB_FOLDER } from "./report.js";
import { jobState, jobStates, type JobState } from "./state.js";
import { findJob, jobFile, type JobAsked, lastAttempt, type NewJob, newJob, readProcess, removeJob } from "./store.js";

/** Milliseconds between two looks at whether it has begun. */
const INTERVAL = 50;

export interface StartedJob {
  readonly id: string;
  /** Ids of other jobs that run on this machine now. */
  readonly beside: readonly string[];
}

/**
 * Starts an `sdtp` command that goes on by itself: in a session of its own, away from this terminal, kernel or server.
 * Resolves when it works.
 * @throws where it ends before: what it said; where a job of the same command writes its results to the same place. There is no job then.
 */
export async function startJob(asked: NewJob): Promise<StartedJob> {
  const running = (await jobStates()).jobs.filter(({ status }) => status === "running");
  const same = running.find(({ folder, args }) => folder === asked.folder && args[0] === asked.args[0]);
  if (same) throw new Error(`job: ${asked.folder} (job ${same.id}, which runs, writes its results there: give another place, or sdtp jobs stop ${same.id})`);
  const job = await newJob(asked);
  try {
    await launch(job, 1, job.args);
  } catch (error) {
    await removeJob(job.id);
    throw error;
  }
  return { id: job.id, beside: running.map(({ id }) => id) };
}

/**
 * Starts any command that can be detached, by its words.
 * @returns its id
 * @throws what the command says where it refuses
 */
export async function startCommand(words: readonly string[]): Promise<string> {
  const end = words.indexOf("--");
  const place = end < 0 ? words.length : end;
  const args = [...words.slice(0, place), ...(words.slice(0, place).includes("--detach") ? [] : ["--detach"]), ...words.slice(place)];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [program(), ...args], (error, stdout, stderr) => {
      if (!error) resolve(stdout.trim());
      else if (/unknown option '--detach'/.test(stderr)) reject(new Error(`detach: sdtp ${words.slice(0, 2).join(" ")} (cannot go on by itself; sdtp jobs --help names the commands that can)`));
      else reject(new Error(refusal(stderr) ?? (lastWords(stderr) || error.message)));
    });
  });
}

const program = (): string => join(packageRoot(), "lib", "cli", "sdtp.mjs");

/** What a command, or the parser of its options, said before it ended. */
const refusal = (said: string): string | undefined => /^(?:sdtp|error): (.+)/m.exec(said)?.[1];

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
  await launch(job, (await lastAttempt(id)) + 1, withMore(job.args, [...(job.resume ?? []), ...more]));
  return jobState(id);
}

/** Words of a command and more of its options; behind `--` are another command's. */
function withMore(args: readonly string[], more: readonly string[]): string[] {
  const end = args.indexOf("--");
  const own = end < 0 ? args : args.slice(0, end);
  return [...own, ...more.filter((word) => !own.includes(word)), ...args.slice(own.length)];
}

async function launch({ id, cwd }: JobAsked, attempt: number, args: readonly string[]): Promise<void> {
  const log = await open(jobFile(id, files.log), "a");
  const before = (await log.stat()).size;
  try {
    const child = spawn(process.execPath, [program(), ...args], {
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
      const said = await readFile(jobFile(id, files.log)).then((bytes) => bytes.toString("utf8", before), () => "");
      // Refused: the job is as it was. The attempt may be somebody else's, who was faster.
      if ((await readProcess(id, attempt))?.pid === child.pid) for (const name of [files.process(attempt), files.end(attempt)]) await rm(jobFile(id, name), { force: true });
      throw new Error(refusal(said) ?? (lastWords(said) || `job: ${how}`));
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
