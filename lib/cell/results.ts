import type { BenchmarkMode } from "../bench/record.js";
import type { Source } from "../report/rows.js";
import { type Measured, sources } from "./measured.js";

/**
 * Reads a results file, or all of a folder, as `profile` writes them.
 * @param mode which files of a folder; default `end2end`
 * @throws on what cannot be read or is no results file, with file and field
 * @example
 * const before = await sdtp.readResults("results");
 * sdtp.table2(before)
 */
export async function readResults(path: string, { mode = "end2end" }: { mode?: BenchmarkMode } = {}): Promise<Source[]> {
  const [files, { stat }] = await Promise.all([import("../bench/results.js"), import("node:fs/promises")]);
  const isFolder = await stat(path).then((info) => info.isDirectory(), () => false);
  if (!isFolder) return [{ file: path, results: await files.readResults(path) }];
  return [...(await files.readResultsFolder(path, mode))].map(([file, results]) => ({ file, results }));
}

/**
 * Writes what was measured as results files, for `sdtp report-table2`, `sdtp compare` and `readResults`.
 * @param path a folder, or a file (.json) for one configuration
 * @returns the files written
 * @example
 * await sdtp.writeResults("results/today", measured)
 */
export async function writeResults(path: string, measured: Measured): Promise<string[]> {
  const { outputFiles, writeAll } = await import("../bench/output.js");
  const found = sources(measured).map(({ results }) => results);
  const results = new Map(found.map((each) => [each.metadata.config, each]));
  const written: string[] = [];
  for (const mode of new Set(found.map(({ metadata }) => metadata.benchmark_mode))) {
    const ofMode = new Map([...results].filter(([, { metadata }]) => metadata.benchmark_mode === mode));
    written.push(...(await writeAll(ofMode, outputFiles(path, mode, [...ofMode.keys()]))));
  }
  return written;
}
