import { open } from "node:fs/promises";
import { lastWords } from "../bench/isolate.js";
import { files } from "./folder.js";
import { isAlive, machineRestarted, type ProcessIdentity } from "./identity.js";
import { findJob, jobFile, jobIds, type JobAsked, type JobEnd, type JobProgress, lastAttempt, readJson, readProcess } from "./store.js";

/**
 * `running`; `done`; `stopped`: on request, or with something left as its time was up; `failed`: its command says so;
 * `died`: its process is gone and never said how it ended: killed, crashed, or gone with its machine; `elsewhere`: it was started on another machine, and has not ended.
 */
export type JobStatus = "running" | "done" | "stopped" | "failed" | "died" | "elsewhere";

export interface JobState extends Omit<JobAsked, "schema_version"> {
  readonly status: JobStatus;
  /** Why it is not done, with the last words of its log where it failed or died; else null. */
  readonly reason: string | null;
  /** Null before there is any. */
  readonly progress: JobProgress | null;
  /** Its process, and when that ended, ISO 8601. */
  readonly pid: number | null;
  readonly host: string | null;
  readonly ended: string | null;
  readonly log: string;
}

/** What a job is at. @param wanted its id, or as much of it as no other one begins with @throws where there is none */
export async function jobState(wanted: string): Promise<JobState> {
  const { schema_version: _, ...asked } = await findJob(wanted);
  const { id } = asked;
  const attempt = await lastAttempt(id);
  const [identity, progress] = [await readProcess(id, attempt), await readJson<JobProgress>(id, files.progress)];
  // Whether it lives is asked first: what ends in between has said how before it went.
  const alive = identity === null ? false : isAlive(identity);
  const end = await readJson<JobEnd>(id, files.end(attempt));
  const { status, reason } = await told(id, attempt, { identity, alive, end });
  return { ...asked, status, reason, progress, pid: identity?.pid ?? null, host: identity?.host ?? null, ended: end?.at ?? null, log: jobFile(id, files.log) };
}

interface Seen {
  readonly identity: ProcessIdentity | null;
  readonly alive: boolean | "elsewhere";
  readonly end: JobEnd | null;
}

async function told(id: string, attempt: number, { identity, alive, end }: Seen): Promise<Pick<JobState, "status" | "reason">> {
  const stop = (await readJson(id, files.stop(attempt))) !== null;
  if (end === null) {
    if (alive === true) return { status: "running", reason: stop ? "is being stopped" : null };
    if (alive === "elsewhere") return { status: "elsewhere", reason: "was started on another machine: only there can be seen whether it runs" };
    if (stop) return { status: "stopped", reason: "was stopped" };
    const last = lastWords(await logTail(id));
    const how = identity !== null && machineRestarted(identity) ? "its machine was started anew meanwhile" : "its process was killed, or crashed";
    return { status: "died", reason: last === "" ? how : `${how}; its last words: ${last}` };
  }
  if (end.code === 0) return end.left === null ? { status: "done", reason: null } : { status: "stopped", reason: end.left };
  if (end.code === 130) return { status: "stopped", reason: "was stopped" };
  return { status: "failed", reason: lastWords(await logTail(id)) || `ended with code ${end.code}` };
}

/** All jobs, the oldest first; those that are damaged stand in `damaged`. */
export async function jobStates(): Promise<{ jobs: JobState[]; damaged: { id: string; error: string }[] }> {
  const all = await Promise.all((await jobIds()).map(async (id) => jobState(id).catch((error: Error) => ({ id, error: error.message }))));
  return { jobs: all.filter((each) => "status" in each), damaged: all.filter((each) => "error" in each) };
}

/** The end of a job's log. @param bytes at most so many */
export async function logTail(id: string, bytes = 16384): Promise<string> {
  const handle = await open(jobFile(id, files.log)).catch(() => undefined);
  if (!handle) return "";
  try {
    const { size } = await handle.stat();
    const start = Math.max(0, size - bytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start);
    const text = buffer.toString("utf8", 0, bytesRead);
    // Not from the middle of a line.
    return start === 0 ? text : text.slice(text.indexOf("\n") + 1);
  } finally {
    await handle.close();
  }
}
