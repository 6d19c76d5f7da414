import { createHash, type Hash } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cached } from "./cache.js";
import { canonicalJson } from "./json.js";
import { readByteRange, readBytes } from "./safetensors.js";
import type { StoredTensor } from "./types.js";

/** Above this total, tensors are sampled instead of read whole. */
const wholeBytes = 2 * 2 ** 30;
const sampleCount = 16;
const sampleBytes = 65536;

/**
 * sha256 (hex) over the configuration and, tensor by tensor in order of name, name, dtype, shape and bytes:
 * independent of how tensors are spread over files. With more than 2 GiB of weights a tensor above 1 MiB gives
 * 16 evenly spaced samples of 64 kB instead of all its bytes: enough to tell checkpoints apart, not to detect
 * every change. The result for big files is kept in the cache folder, by path, size and times of the files.
 * @param config the parsed config.json
 * @param keepAbove bytes of weights above which the result is kept; default 64 MiB
 */
export async function hashCheckpoint(config: unknown, tensors: Iterable<StoredTensor>, keepAbove = 2 ** 26): Promise<string> {
  const sorted = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));
  const bytes = sorted.reduce((sum, { length }) => sum + length, 0);
  if (bytes <= keepAbove) return digest(config, sorted, false);
  const key = `hash-${await filesIdentity(config, sorted)}`;
  const folder = await cached(key, async (temporary) => {
    await writeFile(join(temporary, "sha256"), await digest(config, sorted, bytes > wholeBytes));
  });
  return readFile(join(folder, "sha256"), "utf8");
}

/** @param sampled see `hashCheckpoint` */
export async function digest(config: unknown, sorted: readonly StoredTensor[], sampled: boolean): Promise<string> {
  const hash = createHash("sha256");
  hash.update(sampled ? "sampled\n" : "whole\n").update(canonicalJson(config)).update("\n");
  for (const tensor of sorted) {
    hash.update(`${canonicalJson([tensor.name, tensor.dtype, tensor.shape])}\n`);
    if (sampled && tensor.length > sampleCount * sampleBytes) await updateSamples(hash, tensor);
    else for await (const chunk of readBytes(tensor)) hash.update(chunk);
  }
  return hash.digest("hex");
}

async function updateSamples(hash: Hash, tensor: StoredTensor): Promise<void> {
  const last = tensor.length - sampleBytes;
  for (let i = 0; i < sampleCount; i++) {
    hash.update(await readByteRange(tensor, Math.round((last * i) / (sampleCount - 1)), sampleBytes));
  }
}

/** Stands for the files as they are now: any write changes size, modification time or change time. */
export async function filesIdentity(config: unknown, tensors: readonly StoredTensor[]): Promise<string> {
  const hash = createHash("sha256").update(canonicalJson(config));
  for (const file of [...new Set(tensors.map((tensor) => tensor.file))].sort()) {
    const { size, mtimeNs, ctimeNs, ino } = await stat(file, { bigint: true });
    hash.update(`\n${file} ${size} ${mtimeNs} ${ctimeNs} ${ino}`);
  }
  return hash.digest("hex").slice(0, 32);
}
