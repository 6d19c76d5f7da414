import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { z } from "zod";
import { makeFolder, writeWhole } from "../files.js";
import { formatJson } from "../format-json.js";
import { type BenchmarkMode, type EndToEndBaselineEntry, type EndToEndEntry, type EndToEndMeasurement, type PrefillBaselineEntry, type PrefillEntry, type Results, SCHEMA_VERSION } from "./record.js";
import * as schema from "./schema.js";

export * from "./record.js";

/** `latency_results_<config>.json` (end2end) or `latency_prefill_<config>.json`. */
export function resultsFileName(mode: BenchmarkMode, config: string): string {
  return `latency_${mode === "end2end" ? "results" : "prefill"}_${config}.json`;
}

/**
 * Checks what a results file holds.
 * @param file named in errors
 * @throws with file, field and value on the first thing that is wrong
 */
export function parseResults(value: unknown, file: string): Results {
  const version = (value as { schema_version?: unknown } | null)?.schema_version;
  if (version !== SCHEMA_VERSION) {
    throw new Error(`results file: ${file}: schema_version: ${shown(version)} (must be ${SCHEMA_VERSION}: not a results file of this version)`);
  }
  const { metadata, results, errors } = check(schema.frame, value, file, []);
  const endToEnd = metadata.benchmark_mode === "end2end";
  const entry =
    metadata.config === "baseline"
      ? endToEnd ? schema.endToEndBaselineEntry : schema.prefillBaselineEntry
      : endToEnd ? schema.endToEndEntry : schema.prefillEntry;
  const entries = Object.entries(results).map(([length, raw]) => {
    const path = ["results", length];
    const parsed = check<EndToEndEntry | PrefillEntry | EndToEndBaselineEntry | PrefillBaselineEntry>(entry, raw, file, path);
    checkSums(parsed, Number(length), file, path);
    return [length, parsed];
  });
  return { schema_version: SCHEMA_VERSION, metadata, results: Object.fromEntries(entries), ...(errors && { errors }) } as Results;
}

/** @throws when the file cannot be read, is no JSON, or does not hold what a results file holds */
export async function readResults(file: string): Promise<Results> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new Error(`results file: ${file} (cannot be read: ${(error as NodeJS.ErrnoException).code ?? error})`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`results file: ${file} (is not JSON: ${(error as Error).message})`);
  }
  return parseResults(value, file);
}

/** All results files of one mode in a folder, by path, in order of their names. */
export async function readResultsFolder(folder: string, mode: BenchmarkMode): Promise<Map<string, Results>> {
  const prefix = resultsFileName(mode, "").replace(".json", "");
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    throw new Error(`results folder: ${folder} (cannot be read: ${(error as NodeJS.ErrnoException).code ?? error})`);
  }
  const files = names.filter((name) => name.startsWith(prefix) && name.endsWith(".json")).sort();
  if (files.length === 0) throw new Error(`results folder: ${folder} (holds no ${prefix}*.json)`);
  const read = await Promise.all(files.map(async (name) => [join(folder, name), await readResults(join(folder, name))] as const));
  const strange = read.find(([, { metadata }]) => metadata.benchmark_mode !== mode);
  if (strange) throw new Error(`results file: ${strange[0]}: metadata.benchmark_mode: "${strange[1].metadata.benchmark_mode}" (must be "${mode}" in a file of this name)`);
  return new Map(read);
}

/** Writes a results file atomically, its folder too; what does not fit the schema is not written. */
export async function writeResults(file: string, results: Results): Promise<void> {
  parseResults(JSON.parse(JSON.stringify(results)), basename(file));
  await makeFolder(dirname(file));
  await writeWhole(file, formatJson(results));
}

function check<T>(type: z.ZodType<T>, value: unknown, file: string, path: readonly string[]): T {
  const parsed = type.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const found = issue.path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value);
  const field = [...path, ...issue.path.map(String)].join(".");
  throw new Error(`results file: ${file}: ${field}: ${shown(found)} (${issue.message.replace(/^Invalid \w+: |^Too \w+: /, "")})`);
}

/** The sums that a reader of the file relies on. */
function checkSums(entry: { baseline: object; sdtp?: object }, length: number, file: string, path: readonly string[]): void {
  for (const part of ["baseline", "sdtp"] as const) {
    const measured = entry[part] as Partial<EndToEndMeasurement> | undefined;
    if (!measured) continue;
    const { prefill_latency_seconds: prefill, decode_latency_seconds: decode, total_latency_seconds: total, tokens_kept: kept, tokens_pruned: pruned } = measured;
    const field = `results file: ${file}: ${[...path, part].join(".")}`;
    // Four printed decimals leave a rounding of up to 1.5 units of the last place.
    if (prefill !== undefined && decode !== undefined && Math.abs(prefill + decode - total!) > 2e-4) {
      throw new Error(`${field}.total_latency_seconds: ${total} (must be prefill + decode, ${prefill + decode})`);
    }
    if (kept !== undefined && pruned !== undefined && kept + pruned !== length) {
      throw new Error(`${field}.tokens_pruned: ${pruned} (must make ${length} together with tokens_kept, ${kept})`);
    }
  }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "missing";
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
