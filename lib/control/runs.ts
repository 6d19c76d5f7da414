import { readdir } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { BenchmarkMode, Results } from "../bench/record.js";
import type { Source } from "../report/rows.js";
import { table2, type Table2Row } from "../report/table2.js";

/** Results that were written together: the files of one mode in one folder. */
export interface StoredRun {
  /** The folder, from where the search began; with the mode where it is prefill alone. */
  readonly name: string;
  readonly mode: BenchmarkMode;
  readonly sources: readonly Source[];
  readonly rows: readonly Table2Row[];
  readonly models: readonly string[];
}

export interface FoundRuns {
  readonly runs: readonly StoredRun[];
  /** Files that hold no results, each with what is wrong. */
  readonly unreadable: readonly string[];
}

const NAME = /^latency_(results|prefill)_.+\.json$/;

/**
 * All results in a folder and below it, hidden folders left out, by name.
 * @throws where the folder cannot be read or holds none
 */
export async function findRuns(folder: string): Promise<FoundRuns> {
  let entries;
  try {
    entries = await readdir(folder, { recursive: true, withFileTypes: true });
  } catch (error) {
    throw new Error(`results folder: ${folder} (cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
  const files = entries
    .filter((entry) => entry.isFile() && NAME.test(entry.name))
    // `path` until Node 20.12 brought `parentPath`.
    .map((entry) => join(entry.parentPath ?? (entry as { path: string }).path, entry.name))
    .filter((file) => !relative(folder, file).split(/[\\/]/).some((part) => part.startsWith(".") || part === "node_modules"))
    .sort();
  if (files.length === 0) throw new Error(`results folder: ${folder} (holds no latency_results_*.json or latency_prefill_*.json, nor does a folder in it: sdtp profile writes them)`);
  const { readResults } = await import("../bench/results.js");
  const unreadable: string[] = [];
  const groups = new Map<string, { mode: BenchmarkMode; sources: Source[] }>();
  for (const file of files) {
    let results: Results;
    try {
      results = await readResults(file);
    } catch (error) {
      unreadable.push((error as Error).message);
      continue;
    }
    const mode = results.metadata.benchmark_mode;
    const name = `${relative(folder, dirname(file)) || "."}${mode === "prefill" ? " (prefill)" : ""}`;
    const group = groups.get(name) ?? { mode, sources: [] };
    groups.set(name, group);
    group.sources.push({ file, results });
  }
  const runs: StoredRun[] = [];
  for (const [name, { mode, sources }] of groups) {
    try {
      const { rows } = table2({ mode, sources });
      runs.push({ name, mode, sources, rows, models: [...new Set(sources.map(({ results }) => results.metadata.model))] });
    } catch (error) {
      unreadable.push(`${name}: ${(error as Error).message}`);
    }
  }
  if (runs.length === 0) throw new Error(`results folder: ${folder} (holds no results that can be read: ${unreadable[0]})`);
  return { runs, unreadable };
}
