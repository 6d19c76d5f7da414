import { open, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { cached, cacheFolder } from "../../checkpoint/cache.js";
import { cachedSnapshot } from "../../checkpoint/hub/cache.js";
import { fetchRepository, type FetchOptions } from "../../checkpoint/hub/fetch.js";
import { hubSettings } from "../../checkpoint/hub/settings.js";
import { readRecordFiles } from "./records.js";
import { fileOf, sourceNamed, type DataSource } from "./sources.js";

export interface DatasetOptions extends Omit<FetchOptions, "include" | "choose"> {
  /** Another cache folder than the usual one, for the records as they are read here. */
  readonly cacheFolder?: string;
}

/** A data set on this machine: files of JSON lines. */
export interface FetchedDataset {
  readonly files: readonly { readonly name: string; readonly file: string; readonly records: number }[];
}

/** Changes when records are written otherwise. */
const VERSION = 1;
const counts = "records.json";

/**
 * Brings a data set from the hub, as `fetchRepository` brings models, and lays its records out as JSON lines. With HF_HUB_OFFLINE, or
 * where the hub cannot be reached, what was fetched before is used.
 * @param name `longbench`, `longbench-e`, `longbench-v2`, `squad`, `hotpotqa`, or `org/name:file`
 */
export async function fetchDataset(name: string, { cacheFolder: root = cacheFolder(), ...options }: DatasetOptions = {}): Promise<FetchedDataset> {
  const source = sourceNamed(name);
  const settings = options.settings ?? hubSettings();
  const there = await cachedSnapshot(settings.cache, source.repository);
  const kept = there !== null && (await fileIn(source, there)) !== undefined ? there : null;
  if (settings.offline && kept !== null) return laidOut(source, kept, root);
  const { folder } = await fetchRepository(source.repository, {
    ...options, settings,
    choose(files) {
      const wanted = fileOf(source, files.map(({ path }) => path));
      const found = files.filter(({ path }) => path === wanted);
      if (found.length === 0) throw new Error(`hub: the data set ${source.repository.id} has no file ${source.path} (has ${files.slice(0, 12).map(({ path }) => path).join(", ")})`);
      return found;
    },
  }).catch((error: Error) => {
    options.signal?.throwIfAborted();
    if (kept === null || !/ cannot be reached: | does not answer as the hub does: /.test(error.message)) throw error;
    return { folder: kept };
  });
  return laidOut(source, folder, root);
}

/** A data set that was fetched before; nothing is asked of the hub. @throws where it was not, with what to do */
export async function localDataset(name: string, { cacheFolder: root = cacheFolder(), settings = hubSettings() }: DatasetOptions = {}): Promise<FetchedDataset> {
  const source = sourceNamed(name);
  const there = await cachedSnapshot(settings.cache, source.repository);
  if (there === null || (await fileIn(source, there)) === undefined) throw new Error(`data set: ${name} is not on this machine (sdtp fetch --dataset ${name} brings it)`);
  return laidOut(source, there, root);
}

/** The file of a snapshot that holds a data set, its path with slashes. */
async function fileIn(source: DataSource, snapshot: string): Promise<string | undefined> {
  return fileOf(source, (await readdir(snapshot, { recursive: true })).map((path) => path.replaceAll("\\", "/")));
}

async function laidOut(source: DataSource, snapshot: string, root: string): Promise<FetchedDataset> {
  const path = (await fileIn(source, snapshot))!;
  const key = `data-${source.label}-v${VERSION}-${basename(snapshot).slice(0, 12)}`.replace(/[^A-Za-z0-9._-]/g, "_");
  const folder = await cached(key, async (temporary) => {
    const found: Record<string, number> = {};
    for await (const { label, records } of readRecordFiles(join(snapshot, ...path.split("/")), `${source.repository.id}: ${path}`, source.entries, source.label)) {
      const handle = await open(join(temporary, `${label}.jsonl`), "w");
      let count = 0;
      try {
        for await (const record of records) {
          await handle.write(`${JSON.stringify(record)}\n`);
          count++;
        }
      } finally {
        await handle.close();
      }
      found[label] = count;
    }
    if (Object.keys(found).length === 0) throw new Error(`data set: ${source.repository.id}: ${path} has no records`);
    await writeFile(join(temporary, counts), JSON.stringify(found));
  }, { folder: root });
  const found = JSON.parse(await readFile(join(folder, counts), "utf8")) as Record<string, number>;
  const files = (await readdir(folder)).filter((file) => file.endsWith(".jsonl")).sort();
  return { files: files.map((file) => ({ name: file.replace(/\.jsonl$/, ""), file: join(folder, file), records: found[file.replace(/\.jsonl$/, "")] ?? 0 })) };
}
