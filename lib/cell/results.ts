import type { BenchmarkMode, Results } from "../bench/record.js";
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
 * @throws where a configuration is there several times, as of a sweep over scorers
 * @example
 * await sdtp.writeResults("results/today", measured)
 */
export async function writeResults(path: string, measured: Measured): Promise<string[]> {
  const { outputFiles, writeAll } = await import("../bench/output.js");
  const byMode = new Map<BenchmarkMode, Map<string, Results>>();
  for (const { file, results } of sources(measured)) {
    const { benchmark_mode: mode, config } = results.metadata;
    const ofMode = byMode.get(mode) ?? new Map<string, Results>();
    if (ofMode.has(config)) throw new Error(`config: ${config} (is there twice, the second time as ${file}: a folder holds one file of each; choose rows of one scorer, KV policy, dtype and number of threads)`);
    byMode.set(mode, ofMode.set(config, results));
  }
  const written: string[] = [];
  for (const [mode, ofMode] of byMode) written.push(...(await writeAll(ofMode, outputFiles(path, mode, [...ofMode.keys()]))));
  return written;
}
