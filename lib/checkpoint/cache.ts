// The cache folder: things made once from a checkpoint and used again. An entry is a folder named by its key; it is
// built in a temporary folder beside it and renamed, so an entry that exists is whole.
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { homedir, hostname } from "node:os";
import { join } from "node:path";

/**
 * The cache folder: `SDTP_CACHE`; else `sdtp-notebook` in `XDG_CACHE_HOME`, in `~/Library/Caches` on macOS,
 * in `%LOCALAPPDATA%` on Windows, in `~/.cache` elsewhere.
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env, platform: NodeJS.Platform = process.platform): string {
  if (env.SDTP_CACHE) return env.SDTP_CACHE;
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, "sdtp-notebook");
  if (platform === "darwin") return join(homedir(), "Library", "Caches", "sdtp-notebook");
  if (platform === "win32") return join(env.LOCALAPPDATA ?? join(homedir(), "AppData", "Local"), "sdtp-notebook", "Cache");
  return join(homedir(), ".cache", "sdtp-notebook");
}

export interface CachedOptions {
  /** Another cache folder than `cacheFolder()`. */
  readonly folder?: string;
  /** Milliseconds after which the lock of a builder that was killed is taken over; at least 5000. */
  readonly staleAfter?: number;
  /** What a build that was stopped has made stays, as an entry `KEY.part`, for the next one to go on with. Default false. */
  readonly keep?: boolean;
}

/**
 * The folder of a cache entry, built when it is not there. When two processes ask at once, one builds and the other
 * waits; should both build all the same, the first to finish wins and the other's work is dropped.
 * @param key name of the entry: letters, digits, `.`, `_`, `-`
 * @param build fills the temporary folder that it is given, empty unless something was kept in it; when it throws, nothing is left unless it is to be kept
 * @returns absolute path of the entry's folder
 */
export async function cached(
  key: string,
  build: (temporaryFolder: string) => Promise<void>,
  { folder: root = cacheFolder(), staleAfter = 30_000, keep = false }: CachedOptions = {},
): Promise<string> {
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(key) || key.endsWith(lockSuffix) || key.endsWith(partSuffix) || temporaryOwner(key)) {
    throw new Error(`cache key: ${key} (must be letters, digits, ".", "_", "-")`);
  }
  const folder = join(root, key);
  if (existsSync(folder)) return folder;
  await mkdir(root, { recursive: true });
  // Loaded here because it listens to signals from then on.
  const { lock } = await import("proper-lockfile");
  const release = await lock(folder, {
    lockfilePath: folder + lockSuffix,
    realpath: false,
    stale: staleAfter,
    update: Math.min(5000, staleAfter / 2),
    retries: { forever: true, minTimeout: 50, maxTimeout: 500, factor: 1.5, retries: 0 },
    // A build that blocks the event loop for long loses its lock. That costs a second build, not correctness.
    onCompromised: () => {},
  });
  try {
    if (!existsSync(folder)) {
      await removeLeftovers(root);
      await buildInto(folder, keep ? folder + partSuffix : temporaryName(folder), build, keep);
    }
  } finally {
    await release().catch(() => {});
  }
  return folder;
}

export interface CacheEntry {
  readonly key: string;
  readonly folder: string;
  /** Size of its files in bytes. */
  readonly bytes: number;
  readonly created: Date;
}

/** The entries of the cache folder, by key. */
export async function listCache(root = cacheFolder()): Promise<CacheEntry[]> {
  const entries: CacheEntry[] = [];
  for (const key of await keys(root)) {
    const folder = join(root, key);
    const entry = await ifThere(async () => ({ key, folder, bytes: await folderBytes(folder), created: (await stat(folder)).mtime }));
    if (entry) entries.push(entry);
  }
  return entries;
}

/**
 * Removes entries, and what killed builds left.
 * @param selected keys to remove; all when absent
 * @returns what was removed
 * @throws on a key that is not there, before anything is removed
 */
export async function clearCache(selected?: readonly string[], root = cacheFolder()): Promise<CacheEntry[]> {
  const entries = await listCache(root);
  for (const key of selected ?? []) {
    if (!entries.some((entry) => entry.key === key)) throw new Error(`cache key: ${key} (not in ${root})`);
  }
  const doomed = entries.filter(({ key }) => !selected || selected.includes(key));
  for (const { folder } of doomed) {
    // Renamed first: no other process can meet an entry that is half gone.
    const trash = temporaryName(folder);
    await rename(folder, trash);
    await rm(trash, { recursive: true });
  }
  await removeLeftovers(root);
  return doomed;
}

const lockSuffix = ".lock";
/** Of what a build that was stopped has made, and of one under way that would keep it. */
const partSuffix = ".part";

/** `KEY.tmp~HOST~PID~RANDOM`: says whose it is, so that leftovers can be told from work in progress. */
function temporaryName(folder: string): string {
  return `${folder}.tmp~${hostname()}~${process.pid}~${randomBytes(4).toString("hex")}`;
}

function temporaryOwner(name: string): { host: string; pid: number } | undefined {
  const match = /\.tmp~(.*)~(\d+)~[0-9a-f]{8}$/.exec(name);
  return match ? { host: match[1]!, pid: Number(match[2]) } : undefined;
}

async function buildInto(folder: string, temporary: string, build: (temporaryFolder: string) => Promise<void>, keep: boolean): Promise<void> {
  await mkdir(temporary, { recursive: keep });
  try {
    await build(temporary);
    await rename(temporary, folder);
  } catch (error) {
    const worth = keep && !existsSync(folder) && (await readdir(temporary)).length > 0;
    if (!worth) await rm(temporary, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
}

/** Removes temporary folders of processes that are gone. One of another machine goes after a day. */
async function removeLeftovers(root: string): Promise<void> {
  for (const name of await names(root)) {
    const owner = temporaryOwner(name);
    if (!owner) continue;
    const path = join(root, name);
    const changed = await ifThere(async () => (await stat(path)).mtimeMs);
    const gone = owner.host === hostname() ? !isRunning(owner.pid) : Date.now() - (changed ?? 0) > 86_400_000;
    if (gone) await rm(path, { recursive: true, force: true });
  }
}

/** Undefined where another process removed the files meanwhile. */
async function ifThere<T>(look: () => Promise<T>): Promise<T | undefined> {
  return look().catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function keys(root: string): Promise<string[]> {
  return (await names(root)).filter((name) => !temporaryOwner(name) && !name.endsWith(lockSuffix)).sort();
}

/** Names of the folders in the cache folder; none where it does not exist yet. */
async function names(root: string): Promise<string[]> {
  if (!existsSync(root)) return [];
  return (await readdir(root, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

async function folderBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}
