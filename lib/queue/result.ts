import { promisify } from "node:util";
import { gunzip, gzip, type ZlibOptions } from "node:zlib";

/** Before the bytes of a packed result. */
const MARK = "gzip:";

const pack = promisify(gzip as (input: string, options: ZlibOptions, done: (error: Error | null, found: Buffer) => void) => void);
const unpack = promisify(gunzip as (input: Buffer, options: ZlibOptions, done: (error: Error | null, found: Buffer) => void) => void);

/** A result as the queue keeps it: a tenth of its size, which the server holds twice for a while, and tells everybody who follows. */
export async function packedResult(result: unknown): Promise<string> {
  // The fastest level: what is saved beyond it is less than what it costs.
  return `${MARK}${(await pack(JSON.stringify(result), { level: 1 })).toString("base64")}`;
}

/** The result again; what is none as it is, for the reader to refuse. */
export async function unpackedResult(kept: unknown): Promise<unknown> {
  if (typeof kept !== "string" || !kept.startsWith(MARK)) return kept;
  try {
    return JSON.parse(String(await unpack(Buffer.from(kept.slice(MARK.length), "base64"), { maxOutputLength: 2 ** 28 }))) as unknown;
  } catch {
    return null;
  }
}
