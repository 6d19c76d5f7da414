import { createHash } from "node:crypto";
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { cached, cacheFolder } from "../../../checkpoint/cache.js";
import { formatBytes, requireFreeSpace } from "../../../checkpoint/free-space.js";
import { writeOutput } from "../../../files.js";
import { deviceOf } from "../names.js";
import { MANIFEST, type Installed, type Manifest } from "../installed.js";
import { fileStream, packageFiles, packageIndex } from "./package-index.js";
import { pluginLibrary, unpackWheel } from "./unpack.js";
import { chooseWheel, thisMachine, type Wheel, type WheelMachine } from "./wheel-tags.js";

export interface AddOptions {
  /** Address of the package index; default: `PIP_INDEX_URL`, else the public one. */
  readonly index?: string | undefined;
  readonly machine?: WheelMachine;
  readonly signal?: AbortSignal;
  /** @param total null: unknown */
  readonly onProgress?: (done: number, total: number | null) => void;
}

/** How packages of plugin providers are called. */
const PREFIX = "onnxruntime-ep-";

/**
 * Brings a plugin provider's wheel from a package index into the cache folder: its sha256 is checked against the index's, and an entry that is there is whole.
 * Nothing of it is run.
 * @param asked `openvino`, `openvino==1.8.1`, or a package's whole name
 * @returns what is there, and whether it was brought now
 * @throws an error of one sentence
 */
export async function addProvider(asked: string, { index = packageIndex(), machine = thisMachine(), signal, onProgress }: AddOptions = {}): Promise<{ readonly installed: Installed; readonly fetched: boolean }> {
  const [, given, version] = /^([A-Za-z0-9]+(?:[-_.]+[A-Za-z0-9]+)*)(?:==([A-Za-z0-9.!+_-]+))?$/.exec(asked) ?? [];
  if (!given) throw new Error(`provider: ${asked} (must be a name, or NAME==VERSION)`);
  const normal = given.toLowerCase().replace(/[-_.]+/g, "-");
  const packageName = normal.startsWith("onnxruntime-") ? normal : `${PREFIX}${normal}`;
  const name = packageName.startsWith(PREFIX) ? packageName.slice(PREFIX.length) : packageName;
  const wheel = chooseWheel(packageName, await packageFiles(index, packageName, signal), version, machine);
  if (wheel.sha256 === null) throw new Error(`package: ${wheel.name} (the index names no sha256 of it, so that it cannot be checked)`);
  const key = `provider-${name}-${wheel.version}-${wheel.sha256.slice(0, 12)}`.replace(/[^A-Za-z0-9._-]/g, "_");
  const there = existsSync(join(cacheFolder(), key));
  const folder = await cached(key, async (temporary) => {
    const file = join(temporary, "wheel.zip");
    await bring(wheel, index, file, signal, onProgress);
    const unpacked = join(temporary, "wheel");
    await mkdir(unpacked);
    await unpackWheel(file, unpacked, signal);
    await rm(file);
    const manifest: Manifest = { name, package: packageName, version: wheel.version, wheel: wheel.name, sha256: wheel.sha256!, library: `wheel/${await pluginLibrary(unpacked, wheel.name)}` };
    await writeOutput(join(temporary, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  });
  const manifest = JSON.parse(await readFile(join(folder, MANIFEST), "utf8")) as Manifest;
  return { installed: { ...manifest, key, folder, device: deviceOf(name) }, fetched: !there };
}

async function bring(wheel: Wheel, index: string, file: string, signal: AbortSignal | undefined, onProgress: AddOptions["onProgress"]): Promise<void> {
  const { body, bytes } = await fileStream(wheel, index, signal);
  // The wheel, and about three times as much unpacked.
  if (bytes !== null) await requireFreeSpace(cacheFolder(), 4 * bytes, wheel.name);
  const hash = createHash("sha256");
  let done = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const part of body) {
      hash.update(part);
      onProgress?.((done += part.length), bytes);
      yield part;
    }
  };
  try {
    await pipeline(counted, createWriteStream(file), { ...(signal && { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    throw new Error(`package: ${wheel.name} (the connection broke after ${formatBytes(done)}: ${(error as Error).message}; try again)`, { cause: error });
  }
  const found = hash.digest("hex");
  if (found !== wheel.sha256) throw new Error(`package: ${wheel.name} (its sha256 is ${found}, the index says ${wheel.sha256}: damaged on the way, try again)`);
}
