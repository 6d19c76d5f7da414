import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { pipeline } from "node:stream/promises";

/** What a wheel may unpack to. */
const MOST_BYTES = 4e9;

/** The files of a wheel, in a folder. @throws on what is no zip, or has entries that lead out of the folder (yauzl sees to that) */
export async function unpackWheel(wheel: string, folder: string, signal?: AbortSignal): Promise<void> {
  const { openPromise } = await import("yauzl");
  const zip = await openPromise(wheel, { lazyEntries: true, autoClose: false });
  let bytes = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      signal?.throwIfAborted();
      if (entry.fileName.endsWith("/")) continue;
      if ((bytes += entry.uncompressedSize) > MOST_BYTES) throw new Error(`${basename(wheel)}: unpacks to more than ${MOST_BYTES} bytes`);
      const file = join(folder, ...entry.fileName.split("/"));
      await mkdir(dirname(file), { recursive: true });
      await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(file, { flags: "wx" }));
    }
  } finally {
    zip.close();
  }
}

/** What ONNX Runtime looks up in a plugin's library. */
const ENTRY = Buffer.from("\0CreateEpFactories\0");

/**
 * The library of a plugin provider among a folder's files, as a path from there with slashes.
 * @param what is looked into, for errors @throws where there is none, or more than one
 */
export async function pluginLibrary(folder: string, what: string): Promise<string> {
  // A zip has no links: a library comes under each of its names.
  const found = new Map<string, string>();
  for (const file of (await readdir(folder, { recursive: true })).sort((a, b) => a.length - b.length || (a < b ? -1 : 1))) {
    if (!/\.(so(\.[\d.]+)?|dylib|dll)$/.test(file)) continue;
    const bytes = await readFile(join(folder, file));
    // Among the names of an ELF or PE file, or with an underscore before it in one of macOS.
    if (!bytes.includes(ENTRY) && !bytes.includes("\0_CreateEpFactories\0")) continue;
    const hash = createHash("sha256").update(bytes).digest("hex");
    if (!found.has(hash)) found.set(hash, file.split(sep).join("/"));
  }
  const files = [...found.values()];
  if (files.length !== 1) throw new Error(`${what}: ${files.length === 0 ? "has no library that makes execution providers (must be a plugin provider of ONNX Runtime)" : `has several libraries that make execution providers (${files.join(", ")}; name one by --provider-library)`}`);
  return files[0]!;
}
