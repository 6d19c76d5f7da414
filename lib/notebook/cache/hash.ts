import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { packageRoot } from "../../checkpoint/package-root.js";
import type { ChosenKernel } from "../run/kernel.js";
import { runnableCells } from "../run/execute.js";
import { joined, type Notebook } from "../types.js";

/**
 * A hash for each cell that runs: of its source, of the local modules it imports, of all cells before it, of the kernel,
 * and of the packages installed for the notebook. Cells with equal hashes ran under the same conditions, as far as a
 * notebook shows them: files that cells read, the clock and the network are not part of it.
 */
export function cellHashes(notebook: Notebook, file: string, kernel: ChosenKernel): string[] {
  const folder = dirname(resolve(file));
  let last = conditionsOf(kernel, folder);
  return runnableCells(notebook).map((cell) => {
    const source = joined(cell.source);
    last = digest(last, source, ...localModules(source, folder).map((path) => readFileSync(path)));
    return last;
  });
}

/** A hash for each cell that runs, of itself alone: its source, the local modules it imports, the kernel and what is installed. */
export function ownHashes(notebook: Notebook, file: string, kernel: ChosenKernel): string[] {
  const folder = dirname(resolve(file));
  const conditions = conditionsOf(kernel, folder);
  return runnableCells(notebook).map((cell) => {
    const source = joined(cell.source);
    return digest(conditions, source, ...localModules(source, folder).map((path) => readFileSync(path)));
  });
}

/** What holds for all cells of a run. */
function conditionsOf(kernel: ChosenKernel, folder: string): string {
  return digest(JSON.stringify([1, kernel.name, kernel.own ? ownVersion() : kernel.spec.argv, kernel.spec.env ?? {}, process.version, folder]), lockfile(folder));
}

/** Changes with the version and, in a checkout, with every build. */
function ownVersion(): string {
  const root = packageRoot();
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const build = join(root, "dist", ".tsbuildinfo");
  return existsSync(build) ? `${version} ${digest(readFileSync(build))}` : version;
}

/** What is installed where the notebook is, or in the nearest folder above that has a lock file. */
function lockfile(folder: string): Buffer {
  for (let at = folder; ; at = dirname(at)) {
    const found = ["package-lock.json", "yarn.lock", "pnpm-lock.yaml"].map((name) => join(at, name)).find((path) => existsSync(path));
    if (found !== undefined) return readFileSync(found);
    if (dirname(at) === at) return Buffer.alloc(0);
  }
}

/** The files that a module's relative imports lead to, sorted. */
function localModules(source: string, folder: string, found = new Set<string>()): string[] {
  // Comments and strings are looked at as well: one file too many does no harm.
  for (const [, specifier = ""] of source.matchAll(/["'`](\.{1,2}\/[^"'`\n]+)["'`]/g)) {
    const path = resolve(folder, specifier);
    const stem = path.replace(/\.[cm]?js$/, "");
    const file = [path, `${path}.ts`, `${stem}.ts`, `${path}.js`, join(path, "index.ts"), join(path, "index.js")].find((each) => statSync(each, { throwIfNoEntry: false })?.isFile());
    if (file === undefined || found.has(file)) continue;
    found.add(file);
    if (/\.[cm]?[jt]sx?$/.test(file)) localModules(readFileSync(file, "utf8"), dirname(file), found);
  }
  return [...found].sort();
}

function digest(...parts: (string | Buffer)[]): string {
  // The length in front of each part: otherwise text could move from one to the next.
  return parts.reduce<ReturnType<typeof createHash>>((hash, part) => hash.update(`${part.length} `).update(part), createHash("sha256")).digest("hex");
}
