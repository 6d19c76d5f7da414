import { resolveMethod } from "../../methods/resolve.js";
import { entryOf } from "../entries.js";
import type { Job } from "../job.js";
import { endToEndEntry } from "../measurement.js";
import { metadataOf, newRun } from "../metadata.js";
import { environment } from "../environment.js";
import { type EndToEndMeasurement, type EndToEndResults, type Metadata, SCHEMA_VERSION } from "../record.js";
import type { Subject } from "../subject.js";
import type { Part } from "./parts.js";
import type { PartRecord } from "./store.js";
import type { RowResult } from "./tasks.js";

/** One configuration at one length, as it is kept. */
export interface RowRecord {
  readonly measurement: EndToEndMeasurement & { tokens_kept: number; tokens_pruned: number };
  readonly metadata: Metadata;
  /** Bytes of weights that one decode step reads. */
  readonly weight_bytes: number;
}

export function rowRecord({ measured, peakMemory, weightBytes }: RowResult, { subject, job, length, config }: { subject: Subject; job: Job; length: number; config: string }): RowRecord {
  const preset = resolveMethod(config);
  const outcome = { preset, measured, peakMemory };
  // Held against itself: all of its figures, and no speedup.
  const entry = entryOf({ mode: "end2end", maxNewTokens: job.maxNewTokens, warmup: job.warmup, config: subject.checkpoint.config, length }, outcome, outcome);
  const settings = { mode: "end2end" as const, maxNewTokens: job.maxNewTokens, repeats: job.repeats, warmup: job.warmup };
  const facts = { subject, modelHash: "", settings, prompt: { source: "random ids, seed 0", hash: "" }, environment: environment(), ...newRun() };
  // Hashing the weights of a large model takes longer than measuring it.
  const { model_hash: _, prompt: __, ...metadata } = metadataOf(facts, preset, measured);
  return { measurement: (entry as { sdtp: RowRecord["measurement"] }).sdtp, metadata: { ...metadata, prompt: { source: facts.prompt.source } }, weight_bytes: weightBytes };
}

/** Why speedups of these rows are to be read with care. */
export const APART = "measured after the baseline, each in a process of its own, not in turn with it";

/**
 * Table 2's files of one model, by configuration: what of the rows is there. A row without its baseline is left out.
 * @param parts what is done, by id
 */
export function resultsOf(all: readonly Part[], parts: ReadonlyMap<string, PartRecord>, label: string): Map<string, EndToEndResults> {
  const rows = all.flatMap((part) => (part.kind === "row" && part.model.label === label ? [part] : []));
  const rowAt = (config: string, length: number) => {
    const part = rows.find((each) => each.config === config && each.length === length);
    return part && (parts.get(part.id)?.result as RowRecord | null | undefined);
  };
  const files = new Map<string, EndToEndResults>();
  for (const config of new Set(rows.map((part) => part.config))) {
    const results: EndToEndResults["results"] = {};
    const errors: Record<string, string> = {};
    let metadata: Metadata | undefined;
    const lengths = rows.filter((part) => part.config === config).map(({ length }) => length).sort((a, b) => a - b);
    for (const length of lengths) {
      const [row, baseline] = [rowAt(config, length), rowAt("baseline", length)];
      const part = rows.find((each) => each.config === config && each.length === length)!;
      const error = parts.get(part.id)?.error;
      if (error) errors[length] = error;
      if (!row || !baseline) continue;
      metadata ??= row.metadata;
      if (config === "baseline") results[length] = { baseline: row.measurement };
      else {
        const entry = endToEndEntry(baseline.measurement, row.measurement);
        results[length] = { ...entry, warnings: [APART, ...(entry.warnings ?? [])] };
      }
    }
    if (metadata) files.set(config, { schema_version: SCHEMA_VERSION, metadata: metadata as EndToEndResults["metadata"], results, ...(Object.keys(errors).length > 0 && { errors }) });
  }
  return files;
}
