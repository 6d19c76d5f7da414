import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { UsageError } from "./parameters/parameter.js";

/** Folders in which no notebook of one's own lies. */
const SKIPPED = new Set(["node_modules", ".ipynb_checkpoints", ".git", "__pycache__"]);

/**
 * The notebooks that paths stand for: files as they are, and of folders every .ipynb in and below them, sorted; what
 * runs wrote (`.out.ipynb`) is left out.
 * @throws UsageError for a path that is not there, and for a folder without any
 */
export async function findNotebooks(paths: string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const info = await stat(path).catch(() => undefined);
    if (!info) throw new UsageError(`notebook: ${path} (no such file)`);
    if (!info.isDirectory()) found.push(path);
    else {
      const inside = await below(path);
      if (inside.length === 0) throw new UsageError(`notebook: ${path} (a folder without any .ipynb file)`);
      found.push(...inside);
    }
  }
  return [...new Set(found)];
}

async function below(folder: string): Promise<string[]> {
  const entries = (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const lists = await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : below(path);
      return entry.isFile() && /\.ipynb$/.test(entry.name) && !/\.out\.ipynb$/.test(basename(path)) ? [path] : [];
    }),
  );
  return lists.flat();
}
