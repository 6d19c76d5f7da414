import { files } from "./folder.js";
import { isAlive } from "./identity.js";
import { jobState, type JobState } from "./state.js";
import { findId, lastAttempt, readProcess, removeJob, writeJson } from "./store.js";

/** Milliseconds between two looks, and until a process that was asked to end is ended. */
const INTERVAL = 50;
const GRACE = 30_000;

/**
 * Ends a job as Ctrl-C would: what was measured is kept. One that does not end within half a minute is killed.
 * @throws where it does not run here
 */
export async function stopJob(wanted: string): Promise<JobState> {
  const { id, status, host } = await jobState(wanted);
  if (status === "elsewhere") throw new Error(`job: ${id} (was started on ${host}: it can be stopped only there)`);
  if (status !== "running") throw new Error(`job: ${id} (does not run: ${status})`);
  const attempt = await lastAttempt(id);
  const identity = (await readProcess(id, attempt))!;
  await writeJson(id, files.stop(attempt), { at: new Date().toISOString() });
  const send = (signal: NodeJS.Signals) => {
    // Not to a process that has its number since.
    if (isAlive(identity) !== true) return;
    try {
      process.kill(identity.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw new Error(`job: ${id} (process ${identity.pid} cannot be stopped: ${(error as NodeJS.ErrnoException).code})`);
    }
  };
  send("SIGINT");
  for (const end = performance.now() + GRACE; isAlive(identity) === true; ) {
    if (performance.now() > end) send("SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, INTERVAL));
  }
  return jobState(id);
}

/** Takes jobs out of the list; their results stay. @throws where one runs */
export async function removeJobs(wanted: readonly string[]): Promise<string[]> {
  const ids = await Promise.all(wanted.map(findId));
  for (const id of ids) {
    const state = await jobState(id).catch(() => undefined);
    if (state?.status === "running") throw new Error(`job: ${id} (runs: sdtp jobs stop ${id} first)`);
  }
  for (const id of ids) await removeJob(id);
  return ids;
}
