import { existsSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { requireFreeSpace } from "../free-space.js";
import { cachedSnapshot, link, repositoryFolder, writeRef } from "./cache.js";
import { HubClient, type HubFile } from "./client.js";
import { download, type DownloadOptions } from "./download.js";
import type { HubName } from "./name.js";
import { indexedFiles, neededFiles, wholeGgufs, type Needed } from "./needed.js";
import { hubSettings, type HubSettings } from "./settings.js";

export interface FetchProgress {
  /** Bytes that are there, those of earlier tries included, and all. */
  readonly done: number;
  readonly total: number;
  /** The file that is coming. */
  readonly file: string;
}

export interface FetchOptions extends Pick<DownloadOptions, "signal" | "pause"> {
  /** Which files: patterns with `*` and `?`; default: those that are used here. */
  readonly include?: readonly string[];
  /** Which files of those that are there, in place of a model's. */
  readonly choose?: (files: readonly HubFile[]) => readonly HubFile[];
  readonly onFetch?: (progress: FetchProgress) => void;
  readonly settings?: HubSettings;
}

export interface Fetched {
  /** The snapshot's folder, as the hub's other programs have it. */
  readonly folder: string;
  readonly commit: string;
  /** Paths in the folder, and whether they were brought now. */
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly fetched: boolean }[];
}

/**
 * Brings what is needed of a repository into the hub's own cache, each file once, hashes checked; asks the hub which commit the
 * revision stands for.
 * @throws an error of one sentence: no such repository, gated, unreachable, damaged
 */
export async function fetchRepository(name: HubName, { include, choose, onFetch, settings = hubSettings(), ...options }: FetchOptions = {}): Promise<Fetched> {
  if (settings.offline) throw new Error(`hub: ${name.id} cannot be fetched while HF_HUB_OFFLINE is set (unset it)`);
  const client = new HubClient(settings, name, options.signal);
  const commit = await client.commit();
  const all = await client.files(commit);
  const needed: Needed = choose ? { files: choose(all), index: null } : neededFiles(all, name.id, name.file, include);
  const folder = join(repositoryFolder(settings.cache, name), "snapshots", commit);
  const found: { path: string; bytes: number; fetched: boolean }[] = [];
  const wanted = [...needed.files];
  const sum = (files: readonly HubFile[]) => files.reduce((bytes, { size }) => bytes + size, 0);
  let done = 0;
  // Small ones first: an index among them says which large ones there are.
  wanted.sort((a, b) => a.size - b.size);
  for (const [i, file] of wanted.entries()) {
    const blob = join(repositoryFolder(settings.cache, name), "blobs", file.hash.hex);
    const there = existsSync(blob);
    if (!there) await mkdir(settings.cache, { recursive: true });
    if (!there) await requireFreeSpace(settings.cache, sum(wanted.slice(i).filter(({ hash }) => !existsSync(join(repositoryFolder(settings.cache, name), "blobs", hash.hex)))), name.id);
    await download(client, commit, file, blob, { ...options, onBytes: (bytes) => onFetch?.({ done: done + bytes, total: sum(wanted), file: file.path }) });
    await link(blob, join(folder, ...file.path.split("/")));
    done += file.size;
    found.push({ path: file.path, bytes: file.size, fetched: !there });
    if (file.path === needed.index) wanted.push(...indexedFiles(JSON.parse(await readFile(blob, "utf8")), all, `${name.id}: ${file.path}`).filter((each) => !wanted.includes(each)));
  }
  // Only now: a revision that is in the cache is there as a whole.
  await writeRef(settings.cache, name, commit);
  return { folder, commit, files: found };
}

/**
 * The folder, or GGUF file, of a model of the hub: from the cache where all of it is there, else fetched.
 * @throws where it is neither
 */
export async function hubModel(name: HubName, options: FetchOptions = {}): Promise<string> {
  const settings = options.settings ?? hubSettings();
  const cached = await cachedSnapshot(settings.cache, name);
  if (cached !== null && (await isWhole(cached, name, true))) return modelPath(cached, name);
  try {
    return await modelPath((await fetchRepository(name, options)).folder, name);
  } catch (error) {
    options.signal?.throwIfAborted();
    // Without a tokenizer it may still do, as the hub was not to be asked.
    if (cached !== null && (await isWhole(cached, name, false))) return modelPath(cached, name);
    if (settings.offline) throw new Error(`model: ${name.id} is not in the hub's cache, ${settings.cache}, and HF_HUB_OFFLINE is set (unset it, or give a folder)`);
    throw error;
  }
}

/** What of a snapshot is opened: the file that was named, the folder, or where there are no other weights its GGUF file. */
async function modelPath(folder: string, { file }: HubName): Promise<string> {
  if (file !== null) return join(folder, ...file.split("/"));
  const [only] = hasWeights(folder) ? [] : await ggufsIn(folder);
  return only === undefined ? folder : join(folder, ...only.split("/"));
}

const weights = ["model.safetensors", "pytorch_model.bin", "model.safetensors.index.json", "pytorch_model.bin.index.json"];
const hasWeights = (folder: string): boolean => existsSync(join(folder, "config.json")) && weights.some((name) => existsSync(join(folder, name)));
const ggufsIn = async (folder: string): Promise<string[]> => wholeGgufs((await readdir(folder, { recursive: true })).map((path) => path.replaceAll("\\", "/")));

/** Whether a snapshot holds what loading a model takes. */
async function isWhole(folder: string, { file }: HubName, withTokenizer: boolean): Promise<boolean> {
  const has = (name: string) => existsSync(join(folder, ...name.split("/")));
  if (file !== null) {
    const part = /^(.*-)\d{5}-of-(\d{5})(\.gguf)$/i.exec(file);
    return part ? Array.from({ length: Number(part[2]) }, (_, i) => `${part[1]}${String(i + 1).padStart(5, "0")}-of-${part[2]}${part[3]}`).every(has) : has(file);
  }
  if (!hasWeights(folder)) return (await ggufsIn(folder)).length === 1;
  if (withTokenizer && !has("tokenizer.json")) return false;
  if (has("model.safetensors") || has("pytorch_model.bin")) return true;
  for (const index of ["model.safetensors.index.json", "pytorch_model.bin.index.json"]) {
    if (!has(index)) continue;
    const { weight_map: map } = JSON.parse(await readFile(join(folder, index), "utf8")) as { weight_map?: Record<string, string> };
    return Object.values(map ?? {}).every(has);
  }
  return false;
}
