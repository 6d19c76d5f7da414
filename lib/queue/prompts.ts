import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gunzip, gzip, type ZlibOptions } from "node:zlib";
import type { Redis } from "ioredis";
import { z } from "zod";
import { Refusal } from "./jobs.js";

/** A prompt is needed as long as a job refers to it; each filing renews it. */
const KEEP_SECONDS = 90 * 86400;

const key = (prefix: string, hash: string): string => `${prefix}:prompt:${hash}`;

/** Token ids once for all jobs that begin with them, under their hash. */
export async function putPrompt(redis: Redis, prefix: string, ids: readonly number[], hash: string): Promise<void> {
  await putText(redis, prefix, JSON.stringify(ids), hash);
}

/** A text once for all jobs that refer to it, under its hash. */
export async function putText(redis: Redis, prefix: string, text: string, hash = hashOf(text)): Promise<string> {
  await redis.set(key(prefix, hash), await promisify(gzip)(text), "EX", KEEP_SECONDS);
  return hash;
}

export const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/** @throws Refusal where it is not there any more, or not what its hash says */
export async function getText(redis: Redis, prefix: string, hash: string): Promise<string> {
  const stored = await redis.getBuffer(key(prefix, hash));
  if (!stored) throw new Refusal(`prompt: ${hash.slice(0, 12)} (is not in the queue any more: give the sweep again, and it is put there)`);
  const text = String(await promisify(gunzip as (input: Buffer, options: ZlibOptions, done: (error: Error | null, found: Buffer) => void) => void)(stored, { maxOutputLength: 2 ** 28 }).catch(() => ""));
  if (hashOf(text) !== hash) throw new Refusal(`prompt: ${hash.slice(0, 12)} (is damaged: it has another hash)`);
  return text;
}

export async function getPrompt(redis: Redis, prefix: string, hash: string): Promise<number[]> {
  const ids = z.array(z.number().int().min(0)).min(1).safeParse(JSON.parse(await getText(redis, prefix, hash)));
  if (!ids.success) throw new Refusal(`prompt: ${hash.slice(0, 12)} (is no list of token ids)`);
  return ids.data;
}
