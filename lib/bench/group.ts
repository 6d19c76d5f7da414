import { isAbort } from "../ambient-signal.js";
import type { Method } from "../methods/method.js";
import { runCost } from "./cost.js";
import type { Outcome } from "./entries.js";
import { isolate, type IsolateOptions } from "./isolate.js";
import { type Failure, isFailure, type Job, type JobResult, type Measured } from "./job.js";
import { loadSince } from "./load.js";
import { withPeakOf } from "./reading/readings.js";
import type { DeviceRecord } from "./record.js";
import type { MeasureSettings } from "./settings.js";
import type { Subject } from "./subject.js";

/** Presets measured against each other at one prompt length; the first is the baseline. */
export interface Group extends MeasureSettings {
  readonly subject: Subject;
  readonly presets: readonly Method[];
  readonly scorer?: string | undefined;
  readonly kvPolicy?: "evict" | "retain" | undefined;
  /** `[n]` */
  readonly ids: readonly number[];
  /** As `prefill` takes it. */
  readonly piece?: number | "whole" | undefined;
  /** Measure peak memory too: one more run for each preset, in its own process. */
  readonly memory: boolean;
}

export interface GroupOptions extends Pick<IsolateOptions, "signal" | "timeoutSeconds" | "placement"> {
  /** Called after each run with its cost (see `runCost`). */
  readonly onRun?: ((cost: number, label: string) => void) | undefined;
}

/** Decoded tokens of the run that measures memory: caches have their full size before the first one. */
const MEMORY_TOKENS = 4;

/**
 * Measures a group: all presets in turn in one process, then each alone in another for its peak memory.
 * A process that dies gives every preset of it its error. @throws only where it is interrupted
 */
export async function measureGroup(group: Group, { signal, timeoutSeconds, onRun, placement }: GroupOptions = {}): Promise<(Outcome | Failure)[]> {
  const { presets, memory } = group;
  const costs = presets.map((preset) => costOf(group, preset));
  const job = jobOf(group, presets);
  const counted = presets.map(() => 0);
  const attempt = async <T>(run: () => Promise<T>): Promise<T | Failure> => {
    try {
      return await run();
    } catch (error) {
      signal?.throwIfAborted();
      if (isAbort(error)) throw error;
      return { error: (error as Error).message };
    }
  };
  const load = loadSince();
  const timed = await attempt(() => isolate(job, {
    signal, timeoutSeconds, placement,
    onRun: ({ method, counted: counts }) => {
      const repeat = counts ? `repeat ${++counted[method]!} of ${job.repeats}` : "warm-up";
      onRun?.(costs[method]!, `${presets[method]!.name}, ${group.ids.length} tokens, ${repeat}`);
    },
  }));
  if (isFailure(timed)) return presets.map(() => timed);
  const others = load(timed.cpuSeconds);
  const outcomes: (Outcome | Failure)[] = [];
  for (const [index, preset] of presets.entries()) {
    const measured = timed.methods[index]!;
    if (isFailure(measured) || !memory) {
      outcomes.push(isFailure(measured) ? measured : { preset, measured: peakOf(measured), load: others });
      continue;
    }
    const alone = await attempt(() => isolate({ ...jobOf(group, [preset]), repeats: 1, warmup: 0, maxNewTokens: Math.min(MEMORY_TOKENS, job.maxNewTokens) }, { signal, timeoutSeconds, placement }));
    onRun?.(costs[index]!, `${preset.name}, ${group.ids.length} tokens, memory`);
    const own = isFailure(alone) || isFailure(alone.methods[0]!) ? undefined : alone.methods[0];
    outcomes.push({ preset, measured: peakOf(measured, own?.reading), load: others, ...(own && { peakMemory: (alone as JobResult).peakMemory }) });
  }
  return outcomes;
}

/** In the process where all take turns, the device's memory is that of all. */
const peakOf = (measured: Measured, alone?: DeviceRecord): Measured => (measured.reading ? { ...measured, reading: withPeakOf(measured.reading, alone) } : measured);

/** The cost of all runs of a group, in the unit of `runCost`. */
export function groupCost(group: Group): number {
  const runs = group.warmup + group.repeats + (group.memory ? 1 : 0);
  return runs * group.presets.reduce((sum, preset) => sum + costOf(group, preset), 0);
}

function costOf({ subject, ids, mode, maxNewTokens }: Group, preset: Method): number {
  return runCost({ config: subject.checkpoint.config, preset, length: ids.length, mode, maxNewTokens });
}

function jobOf({ subject, scorer, kvPolicy, ids, mode, repeats, warmup, maxNewTokens, piece }: Group, presets: readonly Method[]): Job {
  const { checkpoint, device, dtype, accuracy, kvDtype, threads, seed } = subject;
  const methods = presets.map((preset) => (preset.stages.length === 0 ? { preset } : { preset, ...(scorer !== undefined && { scorer }), ...(kvPolicy && { kvPolicy }) }));
  return { model: checkpoint.name, device, dtype, accuracy, kvDtype, threads, seed, mode, ids, methods, repeats, warmup, maxNewTokens, ...(piece !== undefined && { piece }) };
}
