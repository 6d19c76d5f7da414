import { randomInt } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder, writeOutput } from "../files.js";
import { formatJson } from "../format-json.js";
import { files, jobsFolder } from "./folder.js";
import type { ProcessIdentity } from "./identity.js";

/** What was asked for, as it was. */
export interface JobAsked {
  readonly schema_version: 1;
  readonly id: string;
  /** Words of the `sdtp` command. */
  readonly args: readonly string[];
  /** Where the command was given: paths in it are relative to it. */
  readonly cwd: string;
  /** Where its results are, absolute. */
  readonly folder: string;
  /** Words that it gets besides where it is resumed. */
  readonly resume?: readonly string[];
  /** ISO 8601. */
  readonly created: string;
}

export type NewJob = Pick<JobAsked, "args" | "cwd" | "folder" | "resume">;

/** How far it is. */
export interface JobProgress {
  /** From 0 to 1. */
  readonly share: number;
  /** What was done last. */
  readonly label: string;
  /** Null where nothing is known. */
  readonly secondsLeft: number | null;
  /** When this was said, ISO 8601. */
  readonly at: string;
}

/** How an attempt ended. */
export interface JobEnd {
  /** Exit code of its command. */
  readonly code: number;
  /** Why there is something left, where it ended in order; else null. */
  readonly left: string | null;
  readonly at: string;
}

/** Letters of an id: none that is taken for another. */
const LETTERS = "abcdefghjkmnpqrstuvwxyz23456789";
const LENGTH = 6;

/** A folder for a new job, with what was asked for in it. @throws where it cannot be written */
export async function newJob(asked: NewJob): Promise<JobAsked> {
  for (;;) {
    const id = Array.from({ length: LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join("");
    const folder = join(jobsFolder(), id);
    try {
      await makeFolder(jobsFolder());
      // Its words may hold the password of a queue.
      await mkdir(folder, 0o700);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") continue;
      throw new Error(`jobs: ${folder} (cannot be made: ${(error as NodeJS.ErrnoException).code ?? error}; SDTP_STATE sets another place)`);
    }
    const job: JobAsked = { schema_version: 1, id, ...asked, created: new Date().toISOString() };
    await writeOutput(join(folder, files.job), formatJson(job), "job");
    return job;
  }
}

export function jobFile(id: string, name: string): string {
  return join(jobsFolder(), id, name);
}

const ID = new RegExp(`^[${LETTERS}]{${LENGTH}}$`);

/** Ids of all jobs, the oldest first. */
export async function jobIds(): Promise<string[]> {
  const names = (await readdir(jobsFolder()).catch(() => [])).filter((name) => ID.test(name));
  const all = await Promise.all(names.map(async (id) => ({ id, created: (await readJson<JobAsked>(id, files.job).catch(() => null))?.created ?? "" })));
  return all.sort((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : 0)).map(({ id }) => id);
}

/** The id itself, or the only one that begins so. @throws with the ids that there are */
export async function findId(wanted: string): Promise<string> {
  const ids = await jobIds();
  const found = ids.includes(wanted) ? [wanted] : ids.filter((id) => wanted !== "" && id.startsWith(wanted));
  if (found.length > 1) throw new Error(`job: ${wanted} (is the beginning of several: ${found.join(", ")})`);
  if (found.length === 0) throw new Error(`job: ${wanted || "none"} (there is no such job; ${ids.length === 0 ? "there are none: sdtp sweep --detach and the like start one" : `there are ${ids.slice(-10).join(", ")}`})`);
  return found[0]!;
}

/** The job of an id. @throws where there is none, or it is damaged */
export async function findJob(wanted: string): Promise<JobAsked> {
  const id = await findId(wanted);
  const job = await readJson<JobAsked>(id, files.job);
  if (job?.schema_version !== 1 || !Array.isArray(job.args)) throw damaged(id, files.job);
  return job;
}

/** A file of a job; null where it is not there. @throws where it is damaged */
export async function readJson<T>(id: string, name: string): Promise<T | null> {
  const file = jobFile(id, name);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw new Error(`job: ${file} (cannot be read: ${(error as NodeJS.ErrnoException).code ?? error})`);
  }
  try {
    return JSON.parse(text) as T;
  } catch {
    throw damaged(id, name);
  }
}

function damaged(id: string, name: string): Error {
  return new Error(`job: ${jobFile(id, name)} (is damaged; sdtp jobs remove ${id} takes it out of the list, and its results stay where they are)`);
}

export async function writeJson(id: string, name: string, value: unknown): Promise<void> {
  await writeOutput(jobFile(id, name), formatJson(value), "job");
}

/** The last attempt, 1 for the first; 0 before it. */
export async function lastAttempt(id: string): Promise<number> {
  const names = await readdir(join(jobsFolder(), id)).catch(() => []);
  return Math.max(0, ...names.map((name) => Number(/^process-(\d+)\.json$/.exec(name)?.[1] ?? 0)));
}

export const readProcess = (id: string, attempt: number) => readJson<ProcessIdentity>(id, files.process(attempt));

/** Takes a job out of the list; what it measured stays where it is. */
export async function removeJob(id: string): Promise<void> {
  await rm(join(jobsFolder(), id), { recursive: true, force: true });
}
