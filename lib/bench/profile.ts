import { ambientSignal } from "../ambient-signal.js";
import type { UserMethod } from "../methods/method.js";
import { refuseEarly } from "./early.js";
import { entryOf, type Entry, type Outcome } from "./entries.js";
import { type Group, groupCost, measureGroup } from "./group.js";
import { type Failure, isFailure } from "./job.js";
import { metadataOf, runFacts, type RunFacts } from "./metadata.js";
import { requirePiece } from "../methods/plan/pieces-plan.js";
import { prompt } from "./prompt.js";
import { SCHEMA_VERSION, type Results } from "./record.js";
import { checkReach, defaultLengths, type MeasureOptions, measureSettings, methodsOf } from "./settings.js";
import { openSubject, type SubjectOptions } from "./subject.js";

export interface ProfileOptions extends Omit<SubjectOptions, "onProgress" | "signal">, MeasureOptions {
  /** Presets by name, or one's own; `all`: baseline, keep09, keep08, keep07 (default). */
  readonly configs?: readonly (string | UserMethod)[];
  /** Prompt lengths in tokens, ascending; default 1024 to 32768. */
  readonly lengths?: readonly number[];
  /** Text to take the prompts from; default: the shipped prose. */
  readonly promptFile?: string;
  /** As `prefill` takes it. */
  readonly piece?: number | "whole";
  /** Measure peak memory too, each configuration in a process of its own; default true. */
  readonly memory?: boolean;
  /** Called when everything was checked, before anything runs, with what the files will have in common. */
  readonly onStart?: (facts: RunFacts) => void | Promise<void>;
  /** Called as runs are done, with the share of the whole work from 0 to 1. */
  readonly onProgress?: (share: number, label: string) => void;
  /** Called when a length is done. */
  readonly onLength?: (length: number, profile: Profile) => void | Promise<void>;
  /** Stops: the process that measures is ended, `profile` throws the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface ProfileError {
  readonly length: number;
  readonly config: string;
  readonly error: string;
}

export interface Profile {
  /** A results file's contents for each configuration asked for, by its name. */
  readonly results: ReadonlyMap<string, Results>;
  /** What could not be measured; also in the results. */
  readonly errors: readonly ProfileError[];
}

/**
 * Prefill, or prefill and decode, of several configurations at several prompt lengths: at each length in turn
 * (A B C A B C) in one process, against the baseline that is measured with them. A length at which that process
 * dies becomes an error, and the others go on.
 * @throws before anything runs on bad input; AbortError on `signal`
 * @example
 * const { results } = await profile({ configs: ["keep07"], lengths: [1024, 4096] });
 */
export async function profile(options: ProfileOptions = {}): Promise<Profile> {
  const { configs = ["all"], lengths = defaultLengths, scorer, kvPolicy, memory = true, signal = ambientSignal(), onProgress } = options;
  const settings = measureSettings(options);
  if (options.piece !== undefined) requirePiece(options.piece);
  const presets = methodsOf(configs);
  await refuseEarly({ models: [options.model ?? "tiny"], lengths, promptFile: options.promptFile, ...(scorer !== undefined && { scorers: [scorer] }) }, settings);
  const subject = await openSubject({ ...options, signal, onProgress: (bytes, all) => onProgress?.(0, `weights: ${Math.floor((100 * bytes) / all)} %`) });
  checkReach(lengths, settings, subject.checkpoint.config.maxPositions);
  const { ids, ...source } = await prompt(subject.checkpoint, lengths.at(-1)!, { file: options.promptFile, seed: subject.seed });
  const facts = await runFacts(subject, settings, { ids, ...source });
  await options.onStart?.(facts);

  const groups = lengths.map((length): Group => ({ ...settings, subject, presets, scorer, kvPolicy, memory, piece: options.piece, ids: ids.slice(0, length) }));
  const total = groups.reduce((sum, group) => sum + groupCost(group), 0);
  let done = 0;
  const measured = new Map<number, (Outcome | Failure)[]>();
  const shown = presets.filter(({ name }) => name !== "baseline" || configs.some((config) => config === "baseline" || config === "all"));
  for (const group of groups) {
    const before = done;
    const onRun = (cost: number, label: string) => onProgress?.((done += cost) / total, label);
    measured.set(group.ids.length, await measureGroup(group, { signal, onRun }));
    done = before + groupCost(group);
    await options.onLength?.(group.ids.length, collect(facts, presets, shown, measured, scorer));
  }
  return collect(facts, presets, shown, measured, scorer);
}

function collect(facts: RunFacts, presets: Group["presets"], shown: Group["presets"], measured: ReadonlyMap<number, (Outcome | Failure)[]>, scorer?: string): Profile {
  const { mode, maxNewTokens, warmup } = facts.settings;
  const results = new Map<string, Results>();
  const errors: ProfileError[] = [];
  for (const preset of shown) {
    const entries: Record<string, Entry> = {};
    const failures: Record<string, string> = {};
    let first: Outcome | undefined;
    for (const [length, outcomes] of measured) {
      const [baseline, outcome] = [outcomes[0]!, outcomes[presets.indexOf(preset)]!];
      if (isFailure(outcome) || isFailure(baseline)) {
        const error = isFailure(outcome) ? outcome.error : `baseline: ${(baseline as Failure).error}`;
        failures[length] = error;
        errors.push({ length, config: preset.name, error });
        continue;
      }
      first ??= outcome;
      entries[length] = entryOf({ mode, maxNewTokens, warmup, config: facts.subject.checkpoint.config, length }, baseline, preset.name === "baseline" ? undefined : outcome);
    }
    if (!first) continue;
    results.set(preset.name, {
      schema_version: SCHEMA_VERSION,
      metadata: metadataOf(facts, preset, first.measured, scorer),
      results: entries,
      ...(Object.keys(failures).length > 0 && { errors: failures }),
    } as Results);
  }
  return { results, errors };
}
