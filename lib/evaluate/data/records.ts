import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import type { Entry } from "yauzl";

/** Records of one data set, in order. */
export interface RecordFile {
  readonly label: string;
  readonly records: AsyncIterable<Record<string, unknown>> | Iterable<Record<string, unknown>>;
}

/** A record of a zip archive that unpacks to more than this many times its size is none that a person made. */
const MOST_INFLATION = 200;

/**
 * The records of a file by its ending: .jsonl (one a line), .json (a list), .parquet, .zip (of .jsonl and .json).
 * @param entries which entries of an archive @param label what records are called that are not from an archive
 * @throws an error that names the file, and the line or entry
 */
export async function* readRecordFiles(file: string, name: string, entries: RegExp, label: string): AsyncGenerator<RecordFile> {
  if (/\.jsonl$/.test(name)) yield { label, records: lines(createReadStream(file), name) };
  else if (/\.json$/.test(name)) yield { label, records: list(await readFile(file, "utf8"), name) };
  else if (/\.parquet$/.test(name)) yield { label, records: await rows(file, name) };
  else if (/\.zip$/.test(name)) yield* archived(file, name, entries);
  else throw new Error(`data file: ${name} (supported: .jsonl, .json, .parquet, .zip)`);
}

async function* lines(stream: Readable, where: string): AsyncGenerator<Record<string, unknown>> {
  let number = 0;
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
    number++;
    if (line.trim() === "") continue;
    let record: unknown;
    try {
      record = JSON.parse(line);
    } catch (error) {
      throw new Error(`${where}, line ${number}: not JSON: ${(error as Error).message}`);
    }
    yield object(record, `${where}, line ${number}`);
  }
}

function list(text: string, where: string): Record<string, unknown>[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${where}: not JSON: ${(error as Error).message}`);
  }
  if (!Array.isArray(value)) throw new Error(`${where}: must be a list of records`);
  return value.map((record, i) => object(record, `${where}[${i}]`));
}

function object(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${where}: ${JSON.stringify(value)?.slice(0, 80)} (must be an object)`);
  return value as Record<string, unknown>;
}

async function rows(file: string, where: string): Promise<Record<string, unknown>[]> {
  const { asyncBufferFromFile, parquetReadObjects } = await import("hyparquet");
  try {
    return (await parquetReadObjects({ file: await asyncBufferFromFile(file) })).map((row) => plain(row) as Record<string, unknown>);
  } catch (error) {
    throw new Error(`${where}: not a parquet file that can be read: ${(error as Error).message}`);
  }
}

/** As JSON has it. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>, plain);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  return value ?? null;
}

async function* archived(file: string, where: string, wanted: RegExp): AsyncGenerator<RecordFile> {
  const { openPromise } = await import("yauzl");
  const zip = await openPromise(file, { lazyEntries: true, autoClose: false }).catch((error: Error) => {
    throw new Error(`${where}: not a zip archive that can be read: ${error.message}`);
  });
  try {
    const all: Entry[] = [];
    await new Promise<void>((resolve, reject) => {
      zip.on("entry", (entry: Entry) => {
        all.push(entry);
        zip.readEntry();
      });
      zip.on("end", resolve);
      zip.on("error", (error: Error) => reject(new Error(`${where}: damaged: ${error.message}`)));
      zip.readEntry();
    });
    for (const entry of all) {
      if (!/\.jsonl?$/.test(entry.fileName) || !wanted.test(entry.fileName)) continue;
      const from = `${where}: ${entry.fileName}`;
      if (entry.uncompressedSize > MOST_INFLATION * Math.max(entry.compressedSize, 1024)) throw new Error(`${from}: ${entry.compressedSize} bytes that unpack to ${entry.uncompressedSize} (too many to be data)`);
      const stream = await zip.openReadStreamPromise(entry);
      const label = basename(entry.fileName).replace(/\.jsonl?$/, "");
      if (entry.fileName.endsWith(".jsonl")) yield { label, records: lines(stream, from) };
      else {
        const parts: Buffer[] = [];
        for await (const part of stream) parts.push(part as Buffer);
        yield { label, records: list(Buffer.concat(parts).toString("utf8"), from) };
      }
    }
  } finally {
    zip.close();
  }
}
