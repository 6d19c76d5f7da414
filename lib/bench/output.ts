import { randomBytes } from "node:crypto";
import { readdir, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeFolder } from "../files.js";
import { type BenchmarkMode, readResults, type Results, resultsFileName, writeResults } from "./results.js";
import { apart, type Shared } from "./shared.js";

/** Where results go: the file of each configuration. */
export type OutputFiles = (config: string) => string;

/**
 * `output` as a file for one configuration (it ends in .json), or as a folder.
 * @throws when one file is to hold several configurations
 */
export function outputFiles(output: string, mode: BenchmarkMode, configs: readonly string[]): OutputFiles {
  if (!output.endsWith(".json")) return (config) => join(output, resultsFileName(mode, config));
  if (configs.length > 1) throw new Error(`output: ${output} (must be a folder: each of ${configs.join(", ")} gets its own file)`);
  return () => output;
}

/** Writes into the folder of a file, to see that it can be done before anything is measured; leaves nothing. @throws where not */
export async function requireWritable(file: string): Promise<void> {
  const folder = dirname(file);
  const probe = join(folder, `.sdtp-${randomBytes(6).toString("hex")}`);
  try {
    const made = await makeFolder(folder);
    await writeFile(probe, "");
    await rm(probe);
    // Another process may have written there since.
    for (const each of made.reverse()) await rmdir(each).catch(() => {});
  } catch (error) {
    throw new Error(`output: ${folder} (cannot be written: ${(error as NodeJS.ErrnoException).code ?? error})`);
  }
}

/**
 * Results that stay in a folder beside those to be written must go into one table with them: a report on the folder
 * would be refused after the measurement.
 * @throws with the first file and field that does not
 */
export async function requireTogether(folder: string, mode: BenchmarkMode, configs: readonly string[], measured: Shared): Promise<void> {
  const prefix = resultsFileName(mode, "").replace(".json", "");
  const written = new Set(configs.map((config) => resultsFileName(mode, config)));
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(prefix) || !name.endsWith(".json") || written.has(name)) continue;
    const { metadata } = await readResults(join(folder, name));
    const wrong = apart(metadata, measured, "what is to be measured");
    if (wrong) throw new Error(`results file: ${join(folder, name)}: ${wrong}; give another --output, or remove the file`);
  }
}

/** Writes each configuration's results. @returns the files */
export async function writeAll(results: ReadonlyMap<string, Results>, files: OutputFiles): Promise<string[]> {
  const written: string[] = [];
  for (const [config, result] of results) {
    await writeResults(files(config), result);
    written.push(files(config));
  }
  return written;
}
