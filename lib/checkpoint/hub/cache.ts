import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { HubName } from "./name.js";

/** The folder of a repository in the hub's cache: `models--org--name`, with blobs/, refs/ and snapshots/. */
export function repositoryFolder(cache: string, { type, id }: HubName): string {
  return join(cache, [`${type}s`, ...id.split("/")].join("--"));
}

/** The folder of a revision that is in the cache; null: none is. */
export async function cachedSnapshot(cache: string, name: HubName): Promise<string | null> {
  const folder = repositoryFolder(cache, name);
  const ref = join(folder, "refs", ...name.revision.split("/"));
  const commit = /^[0-9a-f]{40}$/.test(name.revision) ? name.revision : existsSync(ref) ? (await readFile(ref, "utf8")).trim() : null;
  if (commit === null || !/^[\w.-]+$/.test(commit)) return null;
  const snapshot = join(folder, "snapshots", commit);
  return existsSync(snapshot) ? snapshot : null;
}

/** Says which commit a branch or tag stands for. */
export async function writeRef(cache: string, name: HubName, commit: string): Promise<void> {
  if (name.revision === commit) return;
  const ref = join(repositoryFolder(cache, name), "refs", ...name.revision.split("/"));
  await mkdir(dirname(ref), { recursive: true });
  const temporary = `${ref}.${process.pid}.tmp`;
  await writeFile(temporary, commit);
  await rename(temporary, ref);
}

/** Puts a blob under its path into a snapshot: as a link where the system has them, else as a copy. */
export async function link(blob: string, path: string): Promise<void> {
  if (existsSync(path)) return;
  await mkdir(dirname(path), { recursive: true });
  try {
    await symlink(relative(dirname(path), blob), path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    await copyFile(blob, path);
  }
}
