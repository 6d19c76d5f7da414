import { existsSync } from "node:fs";
import { readFile, readdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { packageRoot } from "./package-root.js";

/** Name of the embedded model. */
export const embeddedName = "tiny";

/**
 * The folder that holds config.json and weights, from what the user gave: `tiny` for the embedded model,
 * a model folder, or a folder of the hub cache's layout (`models--org--name`, with `refs/` and `snapshots/`).
 * @returns absolute path
 */
export async function locateFolder(name: string): Promise<string> {
  if (name === embeddedName) {
    const folder = join(packageRoot(), "lib", "models", embeddedName);
    if (!existsSync(folder)) throw new Error(`model: ${name} (the embedded model is not in this package: ${folder} is missing)`);
    return folder;
  }
  const path = resolve(name);
  const info = await stat(path).catch(() => undefined);
  if (!info) throw new Error(`model: ${name} (no such folder; give a model folder, a model of the hub as "org/name", "${embeddedName}" or "synthetic:NAME")`);
  if (!info.isDirectory()) throw new Error(`model: ${name} is a file (give its folder: ${dirname(path)})`);
  return existsSync(join(path, "snapshots")) && !existsSync(join(path, "config.json")) ? snapshotFolder(path) : path;
}

/** The GGUF file that the user gave: the file itself, or its folder where it is the only one and there is no config.json; else null. */
export async function locateGguf(name: string): Promise<string | null> {
  if (name === embeddedName) return null;
  const path = resolve(name);
  const info = await stat(path).catch(() => undefined);
  if (info?.isFile()) return /\.gguf$/i.test(path) ? path : null;
  if (!info || existsSync(join(path, "config.json"))) return null;
  const files = (await readdir(path)).filter((file) => /\.gguf$/i.test(file));
  const { partName } = await import("./gguf/split.js");
  const first = files.find((file) => partName(file, 1) === file);
  // The parts of one model are found by any of them.
  if (first !== undefined && files.every((file) => partName(file, 1) === first)) return join(path, first);
  if (files.length > 1) throw new Error(`model: ${path} has ${files.length} GGUF files (give one of them: ${files.map((file) => join(path, file)).join(", ")})`);
  return files[0] === undefined ? null : join(path, files[0]);
}

/** `refs/main` names the snapshot; without it there must be exactly one. */
async function snapshotFolder(path: string): Promise<string> {
  const snapshots = join(path, "snapshots");
  const ref = join(path, "refs", "main");
  if (existsSync(ref)) {
    const revision = (await readFile(ref, "utf8")).trim();
    const folder = join(snapshots, revision);
    if (!existsSync(folder)) throw new Error(`model: ${path} (refs/main names snapshot ${revision}, which is not there)`);
    return folder;
  }
  const revisions = await readdir(snapshots);
  if (revisions.length !== 1) {
    throw new Error(`model: ${path} has ${revisions.length} snapshots and no refs/main (give one of them: ${revisions.map((name) => join(snapshots, name)).join(", ") || "none is there"})`);
  }
  return join(snapshots, revisions[0]!);
}
