import { measuredEnvironment } from "../bench/environment.js";
import type { Group } from "../bench/group.js";
import { type Placement, placedThreads } from "../bench/placement.js";
import { measureSettings } from "../bench/settings.js";
import { openSubject } from "../bench/subject.js";
import { anywhereOf, digest, keyOf } from "../bench/sweep/identity.js";
import type { CellToMeasure } from "../bench/sweep/measure.js";
import { groupCost } from "../bench/group.js";
import type { Checkpoint } from "../checkpoint/types.js";
import { resolveMethod } from "../methods/resolve.js";
import { Refusal, type TimedJob } from "./jobs.js";
import { placeModel, placePath } from "./models.js";

const LEARNED = "learned:";

export interface PrepareOptions {
  readonly placement: Placement;
  /** Folders that jobs may use models and modules of. */
  readonly allowed: readonly string[];
  /** Token ids of the prompt that is named so. */
  readonly prompt: (hash: string) => Promise<readonly number[]>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A job as a cell that can be measured on this machine, its rows called as the one who filed it calls them.
 * @throws Refusal where this machine has not what it takes, or something else under its name
 */
export async function prepareTimed(id: string, job: TimedJob, { placement, allowed, prompt, signal }: PrepareOptions): Promise<CellToMeasure> {
  const model = await placeModel(job.model, job.modelPath, allowed);
  const scorer = job.scorer === null ? undefined : job.scorerPath === null ? scorerWithoutPath(job.scorer) : `${LEARNED}${await placePath("scorer", job.scorerPath, allowed)}`;
  const ids = (await prompt(job.prompt.hash)).slice(0, job.prompt.length);
  const cell = await refused(async () => {
    const settings = measureSettings({ mode: job.mode, repeats: job.repeats, warmup: job.warmup, maxNewTokens: job.maxNewTokens });
    const opened = await openSubject({
      model, device: job.device, kvDtype: job.kvDtype, threads: job.threads ?? placedThreads(placement), seed: job.seed, signal,
      ...(job.dtype !== null && { dtype: job.dtype }), ...(scorer !== undefined && { scorer }),
    });
    const subject = { ...opened, checkpoint: renamed(opened.checkpoint, job.model) };
    const presets = job.presets.map((preset) => resolveMethod(preset));
    const group: Group = { ...settings, subject, presets, scorer: job.scorer ?? undefined, kvPolicy: job.kvPolicy ?? undefined, memory: job.memory, ids };
    const facts = { subject, modelHash: await opened.checkpoint.hash(), settings, prompt: { source: job.prompt.source, hash: job.prompt.hash }, environment: await measuredEnvironment(subject.device), time: "", run: "" };
    return { group, facts, measuredAs: { ...group, subject: opened, scorer } };
  });
  const here = anywhereOf(cell.group, cell.facts, job.threads ?? undefined);
  if (digest(here) !== id) throw new Refusal(difference(job.identity, here));
  const asked = cell.group.presets.filter(({ name }) => job.asked.includes(name));
  return { ...cell, key: keyOf(cell.group, cell.facts), label: job.label, asked, cost: groupCost(cell.group) };
}

/** A scorer that names a file is a path, whatever the one who filed it says. */
export function scorerWithoutPath(scorer: string): string {
  if (scorer.startsWith(LEARNED)) throw new Refusal(`scorer: ${scorer} (names a file, but the job has no path of it)`);
  return scorer;
}

/** The path in a scorer's name, as it stands there. */
export function scorerFile(scorer: string | undefined): string | null {
  return scorer?.startsWith(LEARNED) ? scorer.slice(LEARNED.length) : null;
}

/** The same checkpoint under the name that rows give it. */
function renamed(checkpoint: Checkpoint, name: string): Checkpoint {
  return Object.create(checkpoint, { name: { value: name, enumerable: true } }) as Checkpoint;
}

/** What cannot be had here may be had elsewhere. */
async function refused<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new Refusal((error as Error).message);
  }
}

const nouns: Record<string, string> = { modelHash: "weights or configuration", scorerKey: "trained modules of the scorer", ids: "prompt", versions: "versions" };

/** The first thing in which this machine would measure something else. */
function difference(asked: Record<string, unknown>, here: Record<string, unknown>): string {
  for (const key of Object.keys({ ...asked, ...here })) {
    const [wanted, found] = [JSON.stringify(asked[key]), JSON.stringify(here[key])];
    if (wanted === found) continue;
    const [want, have] = key === "versions" ? versionsApart(asked[key], here[key]) : [wanted, found].map((text) => (text ?? "none").replaceAll('"', "").slice(0, 24));
    return `${nouns[key] ?? key}: ${have} (must be ${want}, as where the job comes from: this machine would measure something else)`;
  }
  return `job: its id (is not that of what it asks for)`;
}

function versionsApart(asked: unknown, here: unknown): [string, string] {
  const [wanted, found] = [asked, here].map((value) => (typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {})) as [Record<string, unknown>, Record<string, unknown>];
  const name = Object.keys({ ...wanted, ...found }).find((key) => wanted[key] !== found[key]) ?? "";
  return [`${name} ${String(wanted[name])}`, `${name} ${String(found[name])}`];
}

