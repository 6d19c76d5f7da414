import { resolve } from "node:path";
import { ambientSignal, isAbort } from "../../ambient-signal.js";
import { requireWritable } from "../output.js";
import { resolveMethod } from "../../methods/resolve.js";
import { hostHome } from "../../runtime/home.js";
import { openCheckpoint } from "../../checkpoint/open.js";
import { prove } from "../../runtime/devices/check.js";
import { requireDevice } from "../../runtime/devices/names.js";
import type { Card } from "../../runtime/devices/nvidia-smi.js";
import { checked, type Verdict } from "../../runtime/devices/verdict.js";
import { isPluginName } from "../../runtime/providers/names.js";
import type { BuiltIn } from "../../runtime/session.js";
import { defaultThreads, measuredEnvironment } from "../environment.js";
import { isFailure, type Failure, type Job } from "../job.js";
import { prompt } from "../prompt.js";
import { openSubject, type Subject } from "../subject.js";
import { ask } from "./ask.js";
import { methodIsWrong } from "./methods.js";
import { type Part, partsOf, together } from "./parts.js";
import { requireCard, tooLarge } from "./preflight.js";
import { fullSettings, type GpuModel, type GpuSettings, tinySettings, writeShapes } from "./settings.js";
import { rowRecord } from "./rows.js";
import { PartStore, type PartRecord, type RunRecord } from "./store.js";
import type { MethodResult, OperatorsResult, RowResult } from "./tasks.js";

export interface GpuOptions {
  /** `cuda` (default), `webgpu`, or `cpu`. */
  readonly device?: string;
  /** A small shape at short lengths; default false. */
  readonly tiny?: boolean;
  /** Stops then, with what is done in the folder; default 12. */
  readonly minutes?: number;
  /** Everything is under it; default results/gpu. */
  readonly folder?: string;
  /** Measure parts again that failed; default false. */
  readonly retryFailed?: boolean;
  /** Other settings than those of `fullSettings` or `tinySettings`. */
  readonly settings?: Partial<GpuSettings>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (share: number, label: string) => void;
  /** Told of all parts that are done when some more are, also at the end, whatever ends it. */
  readonly onParts?: (run: RunRecord, parts: ReadonlyMap<string, PartRecord>) => Promise<void>;
}

/** How a run ended. */
export interface GpuEnd {
  readonly run: RunRecord;
  readonly parts: ReadonlyMap<string, PartRecord>;
  /** In all. */
  readonly wanted: number;
  readonly measured: number;
  readonly found: number;
}

/** The time that was given is over. */
class TimeUp extends Error {}

/**
 * Checks a device and measures Table 2, decoding, memory and energy on it, in the order of what is worth most, until all is done or the time is up. Each part is kept when
 * it is done: the same call goes on from there.
 * @throws before anything long, by name: no card, driver or provider, one that is too old, too little memory, a folder of another run, a device that computes wrongly
 */
export async function benchGpu({ device: asked = "cuda", tiny = false, minutes = 12, folder: given = "results/gpu", retryFailed = false, settings: other, signal = ambientSignal(), onProgress = () => {}, onParts = () => Promise.resolve() }: GpuOptions = {}): Promise<GpuEnd> {
  if (!(minutes > 0)) throw new Error(`minutes: ${minutes} (must be above 0)`);
  const named = requireDevice(asked);
  if (named === "auto" || isPluginName(named)) throw new Error(`device: ${named} (must be cuda, webgpu or cpu: rows say where they were made)`);
  const device: BuiltIn = named;
  const folder = resolve(given);
  const until = AbortSignal.timeout(Math.min(Math.ceil(60e3 * minutes), 2 ** 31 - 1));
  const stop = new AbortController();
  const stopOn = (source: AbortSignal | undefined, reason: () => unknown) => source?.addEventListener("abort", () => stop.abort(reason()));
  stopOn(until, () => new TimeUp("the time is up"));
  stopOn(signal, () => signal!.reason);
  signal?.throwIfAborted();

  const card = device === "cuda" ? await requireCard() : null;
  await requireWritable(`${folder}/run.json`);
  const settings: GpuSettings = { ...(tiny ? tinySettings : fullSettings)(device, folder), ...other };
  await writeShapes(folder);
  const store = new PartStore(folder);
  const run = await store.begin({ schema_version: 1, settings, card, environment: await measuredEnvironment(), time: new Date().toISOString() });

  const all = partsOf(settings);
  const parts = new Map<string, PartRecord>();
  for (const { id } of all) {
    const record = await store.read(id);
    if (record && !(retryFailed && (record.error !== null || wrongChecks(new Map([[id, record]])) !== null))) parts.set(id, record);
  }
  const found = parts.size;
  const keep = async (part: Part, outcome: { result: unknown; error: string | null }): Promise<void> => {
    await store.write(part.id, outcome);
    parts.set(part.id, (await store.read(part.id))!);
    onProgress(parts.size / all.length, part.title);
  };
  const context: Context = { device, settings, card, signal: stop.signal, keep, onProgress: (label) => onProgress(parts.size / all.length, label), subjects: new Map() };
  try {
    for (const group of together(all.filter(({ id }) => !parts.has(id)))) {
      stop.signal.throwIfAborted();
      onProgress(parts.size / all.length, group[0]!.title);
      await measureGroup(context, group);
      await onParts(run, parts);
      refuseWrong(parts);
    }
    refuseWrong(parts);
  } catch (error) {
    if (!(error instanceof TimeUp)) throw error;
  } finally {
    await onParts(run, parts);
  }
  return { run, parts, wanted: all.length, measured: parts.size - found, found };
}

interface Context {
  readonly device: BuiltIn;
  readonly settings: GpuSettings;
  readonly card: Card | null;
  readonly signal: AbortSignal;
  readonly keep: (part: Part, outcome: { result: unknown; error: string | null }) => Promise<void>;
  readonly onProgress: (label: string) => void;
  readonly subjects: Map<string, Promise<Subject>>;
}

/** Parts of one process. What fails is kept as failed; being stopped is not. */
async function measureGroup(context: Context, group: readonly Part[]): Promise<void> {
  const [first] = group as [Part];
  try {
    switch (first.kind) {
      case "row": case "depth": case "memory": return await measureRows(context, group as Part[]);
      default: await context.keep(first, { result: await single(context, first), error: null });
    }
  } catch (error) {
    context.signal.throwIfAborted();
    if (isAbort(error)) throw error;
    for (const part of group) await context.keep(part, { result: null, error: (error as Error).message });
  }
}

async function single({ device, settings, signal, ...context }: Context, part: Part): Promise<unknown> {
  const { checked: { methods, operators, length }, dtype, ours, rivals, bandwidthBytes, energy } = settings;
  const configs = ["baseline", ...ours, ...rivals];
  switch (part.kind) {
    case "device": return deviceCheck(device, signal);
    case "operators": return ask({ kind: "operators", device, model: operators, dtype, configs, length }, { signal });
    case "methods": return ask({ kind: "methods", device, model: methods, dtype, configs, length }, { signal });
    case "bandwidth": return ask({ kind: "bandwidth", device, threads: defaultThreads(), bytes: bandwidthBytes }, { signal });
    case "energy": return ask({ kind: "energy", seconds: energy.seconds, job: await jobOf({ device, settings, signal, ...context }, part.model, part.config, part.length) }, { signal });
    default: throw new Error(`part: ${part.kind} (is one of several)`);
  }
}

/** As `sdtp doctor` checks a GPU; of the CPU, that plain attention agrees with the fused one. */
async function deviceCheck(device: BuiltIn, signal: AbortSignal): Promise<Verdict> {
  if (device === "cpu") return prove(await openCheckpoint("tiny", {}), ({ prefill }) => hostHome(prefill === "fused" ? "plain" : "fused"));
  signal.throwIfAborted();
  return (await checked(device)).verdict;
}

/** @throws where the device was found to compute wrongly: figures of it would say nothing */
function refuseWrong(parts: ReadonlyMap<string, PartRecord>): void {
  const wrong = wrongChecks(parts);
  if (wrong !== null) throw new Error(`device: ${wrong} (once that is mended, --retry-failed checks it again)`);
}

/** What checks that are done found wrong, in words; null: nothing. */
function wrongChecks(parts: ReadonlyMap<string, PartRecord>): string | null {
  const check = parts.get("check-device");
  if (check?.error) return `could not be checked: ${check.error}`;
  const verdict = check?.result as Verdict | undefined;
  if (verdict && !verdict.ok) return `computes wrongly: ${verdict.reason}`;
  const operators = parts.get("check-operators")?.result as OperatorsResult | null | undefined;
  const methods = (parts.get("check-methods")?.result ?? []) as readonly MethodResult[];
  const wrong = methods.filter(methodIsWrong).map(({ config, kept, logits, error }) => `${config}: ${error ?? (logits === null ? `${(100 * kept).toFixed(1)} % of the kept tokens are the CPU's` : `logits by ${logits.toPrecision(2)} of the largest`)}`);
  const all = [...(operators?.wrong ?? []), ...wrong];
  return all.length > 0 ? `computes wrongly: ${all.join("; ")}` : null;
}

async function measureRows(context: Context, group: readonly Part[]): Promise<void> {
  const parts = group.filter((part) => "length" in part) as Extract<Part, { length: number }>[];
  const [{ model, kind }] = parts as [(typeof parts)[number]];
  const config = "config" in parts[0]! ? parts[0].config : "baseline";
  const subject = await subjectOf(context, model);
  const memory = kind === "memory";
  const fits: typeof parts = [];
  for (const part of [...parts].sort((a, b) => a.length - b.length)) {
    const reason = tooLarge(subject, config, part.length, context.settings.newTokens, context.card);
    if (reason === null) fits.push(part);
    else await context.keep(part, { result: null, error: reason });
  }
  if (fits.length === 0) return;
  const job = await jobOf(context, model, config, fits.at(-1)!.length);
  // Rows come while others are measured; each is kept before the next is reported.
  let kept = Promise.resolve();
  const come = new Set<number>();
  const onRow = (length: number, row: RowResult | Failure) => {
    const part = fits.find((each) => each.length === length)!;
    come.add(length);
    kept = kept.then(() => context.keep(part, isFailure(row) ? { result: null, error: row.error } : { result: rowRecord(row, { subject, job, length, config }), error: null }));
  };
  const once: Partial<Job> = memory ? { repeats: 1, warmup: 0, maxNewTokens: Math.min(4, context.settings.newTokens) } : {};
  try {
    await ask({ kind: "rows", job: { ...job, ...once }, lengths: fits.map(({ length }) => length) }, { signal: context.signal, onRow });
  } catch (error) {
    await kept;
    if (context.signal.aborted || isAbort(error)) throw error;
    // The process died in the middle: at the first length that has no row.
    const [at, ...later] = fits.filter(({ length }) => !come.has(length));
    if (at) await context.keep(at, { result: null, error: (error as Error).message });
    if (later.length > 0) await measureRows(context, later);
    return;
  }
  await kept;
}

async function subjectOf({ device, settings, subjects, signal, onProgress }: Context, { name, label }: GpuModel): Promise<Subject> {
  let subject = subjects.get(name);
  if (!subject) subjects.set(name, (subject = openSubject({ model: name, device, dtype: settings.dtype, signal, onProgress: (done, all) => onProgress(`${label}: weights, ${Math.floor((100 * done) / all)} %`) })));
  return subject;
}

async function jobOf(context: Context, model: GpuModel, config: string, length: number): Promise<Job> {
  const { device, settings: { repeats, newTokens } } = context;
  const { checkpoint, dtype, accuracy, threads, seed } = await subjectOf(context, model);
  const { ids } = await prompt(checkpoint, length);
  return { model: model.name, device, dtype, accuracy, threads, seed, mode: "end2end", ids, methods: [{ preset: resolveMethod(config) }], repeats, warmup: 1, maxNewTokens: newTokens };
}
