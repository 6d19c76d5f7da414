import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { cacheFolder } from "../../checkpoint/cache.js";
import { deviceOf, LIBRARY_VARIABLE, pluginOf, type PluginName } from "./names.js";

/** What was written beside a provider that `sdtp provider add` brought. */
export interface Manifest {
  /** As it was asked for, such as `openvino`. */
  readonly name: string;
  /** On the package index. */
  readonly package: string;
  readonly version: string;
  /** The file that was fetched, and its sha256 (hex). */
  readonly wheel: string;
  readonly sha256: string;
  /** The plugin's library, from the entry's folder. */
  readonly library: string;
}

/** A plugin's library on this machine. */
export interface PluginFile {
  readonly device: PluginName;
  /** Absolute path. */
  readonly file: string;
  /** Of its package; null where a library was named. */
  readonly version: string | null;
}

export interface Installed extends Manifest {
  /** Entry of the cache folder. */
  readonly key: string;
  readonly folder: string;
  readonly device: PluginName;
}

export const MANIFEST = "provider.json";

/** The providers in the cache folder, newest version of each name first. */
export async function installedProviders(root = cacheFolder()): Promise<Installed[]> {
  const found: Installed[] = [];
  for (const key of existsSync(root) ? await readdir(root) : []) {
    const folder = join(root, key);
    if (!key.startsWith("provider-") || !existsSync(join(folder, MANIFEST))) continue;
    const manifest = JSON.parse(await readFile(join(folder, MANIFEST), "utf8")) as Manifest;
    found.push({ ...manifest, key, folder, device: deviceOf(manifest.name) });
  }
  return found.sort((a, b) => a.name.localeCompare(b.name) || compareVersions(b.version, a.version));
}

/**
 * The library of a plugin provider: the one named, else the newest that was added.
 * @param file default: what `SDTP_PROVIDER_LIBRARY` says
 * @throws where there is none, with how to get it
 */
export async function pluginFile(device: PluginName, file: string | undefined = process.env[LIBRARY_VARIABLE] || undefined): Promise<PluginFile> {
  if (file !== undefined) {
    const path = resolve(file);
    const there = await stat(path).catch(() => null);
    if (!there?.isFile()) throw new Error(`provider library: ${file} (${there ? "is no file" : "no such file"}; must be the library of a plugin provider of ONNX Runtime)`);
    return { device, file: path, version: null };
  }
  const name = pluginOf(device);
  const newest = (await installedProviders()).find((each) => each.name === name);
  if (!newest) throw new Error(`device: ${device} (its provider is not installed; to install it: sdtp provider add ${name}; a library of one's own is named by --provider-library)`);
  return { device, file: join(newest.folder, newest.library), version: newest.version };
}

/** Order of versions by their numbers. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(/[.+-]/).map((part) => parseInt(part, 10) || 0)) as [number[], number[]];
  for (let i = 0; i < Math.max(left.length, right.length); i++) if ((left[i] ?? 0) !== (right[i] ?? 0)) return (left[i] ?? 0) - (right[i] ?? 0);
  return 0;
}
