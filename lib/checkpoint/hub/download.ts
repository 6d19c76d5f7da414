import { createHash, type Hash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as pause } from "node:timers/promises";
import { Refused, type HubClient, type HubFile } from "./client.js";

export interface DownloadOptions {
  readonly signal?: AbortSignal;
  /** Called with the bytes that are there of this file. */
  readonly onBytes?: (bytes: number) => void;
  /** Milliseconds before the first new try. */
  readonly pause?: number;
}

/** Tries in a row that bring not a byte. */
const MOST_TRIES = 5;

/**
 * A file of the hub as `blob`, its hash checked. What an earlier try left in `blob.incomplete` is gone on with; a connection that breaks
 * is taken up again from there.
 * @throws where the hub refuses, where several tries bring nothing, or where the bytes are not those that the hub names
 */
export async function download(client: HubClient, commit: string, file: HubFile, blob: string, { signal, onBytes, pause: first = 500 }: DownloadOptions = {}): Promise<void> {
  if (existsSync(blob)) return onBytes?.(file.size);
  await mkdir(dirname(blob), { recursive: true });
  const { lock } = await import("proper-lockfile");
  const release = await lock(blob, { lockfilePath: `${blob}.lock`, realpath: false, stale: 30_000, retries: { forever: true, minTimeout: 100, maxTimeout: 1000, retries: 0 }, onCompromised: () => {} });
  try {
    // Another process may have brought it meanwhile.
    if (existsSync(blob)) return onBytes?.(file.size);
    const incomplete = `${blob}.incomplete`;
    const resumed = (await sizeOf(incomplete)) > 0;
    await bring(client, commit, file, incomplete, first, signal, onBytes);
    let found = await hashOf(incomplete, file);
    if (found !== file.hash.hex && resumed) {
      // What was left of the earlier try may have been of something else.
      await rm(incomplete);
      await bring(client, commit, file, incomplete, first, signal, onBytes);
      found = await hashOf(incomplete, file);
    }
    // Some mirrors list the plain sha1 of small files.
    const plain = found !== file.hash.hex && file.hash.kind === "git" ? await plainHash(incomplete, file.hash.hex.length === 64 ? "sha256" : "sha1") : found;
    if (found !== file.hash.hex && plain !== file.hash.hex) {
      await rm(incomplete);
      throw new Error(`hub: ${file.path}: its ${file.hash.kind === "git" ? "git hash" : "sha256"} is ${found} (must be ${file.hash.hex}, as the hub lists it: damaged on the way, try again)`);
    }
    await rename(incomplete, blob);
  } finally {
    await release().catch(() => {});
  }
}

async function bring(client: HubClient, commit: string, file: HubFile, incomplete: string, first: number, signal: AbortSignal | undefined, onBytes: ((bytes: number) => void) | undefined): Promise<void> {
  for (let tries = 0; ; ) {
    let have = await sizeOf(incomplete);
    if (have > file.size) {
      await rm(incomplete);
      have = 0;
    }
    if (have === file.size) {
      // An empty file has no bytes to wait for.
      if (file.size === 0) await pipeline(Readable.from([]), createWriteStream(incomplete));
      return onBytes?.(have);
    }
    const before = have;
    try {
      const body = await client.stream(commit, file.path, have);
      const counted = async function* (): AsyncGenerator<Uint8Array> {
        for await (const bytes of Readable.fromWeb(body as import("node:stream/web").ReadableStream)) {
          have += (bytes as Uint8Array).length;
          // A server that does not know where to go on sends all of it again.
          if (have > file.size) throw new Error(`more than its ${file.size} bytes come`);
          onBytes?.(have);
          yield bytes as Uint8Array;
        }
      };
      await pipeline(counted, createWriteStream(incomplete, { flags: "a" }), { ...(signal && { signal }) });
      if (have < file.size) throw new Error(`the connection ended after ${have} of ${file.size} bytes`);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof Refused) throw error;
      if (have > file.size) await rm(incomplete, { force: true });
      tries = (await sizeOf(incomplete)) > before ? 0 : tries + 1;
      // The stream may fail with a mere text.
      const why = error instanceof Error ? error.message : String(error);
      if (tries >= MOST_TRIES) throw why.startsWith("hub: ") ? error : new Error(`hub: ${file.path}: ${why} (${await sizeOf(incomplete)} of ${file.size} bytes are kept; try again to go on from there)`);
      await pause(first * 2 ** tries, undefined, { ...(signal && { signal }) });
    }
  }
}

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => null))?.size ?? 0;

async function hashOf(path: string, { hash, size }: HubFile): Promise<string> {
  if (hash.kind === "sha256") return plainHash(path, "sha256");
  return digestOf(path, createHash(hash.hex.length === 64 ? "sha256" : "sha1").update(`blob ${size}\0`));
}

const plainHash = (path: string, kind: "sha1" | "sha256"): Promise<string> => digestOf(path, createHash(kind));

async function digestOf(path: string, digest: Hash): Promise<string> {
  await pipeline(createReadStream(path), digest);
  return digest.digest("hex");
}
