import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";
import { getMimeType } from "hono/utils/mime";
import { fromBufferPromise } from "yauzl";
import { packageRoot } from "../checkpoint/package-root.js";

interface Member {
  readonly deflated: Buffer;
  readonly crc32: number;
  readonly size: number;
}

/**
 * JupyterLab's front end, as frontend/build.mjs packs it. Its files stay compressed: a member of a zip between a header and a
 * trailer is a gzip file.
 */
export class Assets {
  readonly #members: ReadonlyMap<string, Member>;

  private constructor(
    members: ReadonlyMap<string, Member>,
    /** JupyterLab's, such as 4.6.6. */
    readonly version: string,
    /** Of the page, in their order. */
    readonly scripts: readonly string[],
  ) {
    this.#members = members;
  }

  /** @throws where the file is not there or no zip of the front end */
  static async open(file = join(packageRoot(), "lib", "lab", "frontend.zip")): Promise<Assets> {
    const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
      throw new Error(`front end: ${file} (${error.code === "ENOENT" ? "is not there: lib/lab/README.md says how it is built" : error.message})`);
    });
    const zip = await fromBufferPromise(bytes, { lazyEntries: true });
    const members = new Map<string, Member>();
    for await (const entry of zip.eachEntry()) {
      const at = entry.relativeOffsetOfLocalHeader;
      const start = at + 30 + bytes.readUInt16LE(at + 26) + bytes.readUInt16LE(at + 28);
      if (entry.compressionMethod !== 8) throw new Error(`front end: ${file} (${entry.fileName} is not deflated)`);
      members.set(entry.fileName, { deflated: bytes.subarray(start, start + entry.compressedSize), crc32: entry.crc32, size: entry.uncompressedSize });
    }
    const text = (name: string) => {
      const member = members.get(name);
      if (!member) throw new Error(`front end: ${file} (has no ${name})`);
      return inflateRawSync(member.deflated).toString();
    };
    const { version, scripts } = JSON.parse(text("entry.json")) as { version: string; scripts: string[] };
    return new Assets(members, version, scripts);
  }

  /** A file as text. @throws where there is none of that name */
  text(name: string): string {
    const member = this.#members.get(name);
    if (!member) throw new Error(`front end: has no ${name}`);
    return inflateRawSync(member.deflated).toString();
  }

  /** The answer to a browser that asks for a file; undefined where there is none. */
  response(name: string, acceptEncoding = "", cache = "no-cache"): Response | undefined {
    const member = this.#members.get(name);
    if (!member) return undefined;
    const headers = { "Content-Type": getMimeType(name) ?? "application/octet-stream", "Cache-Control": cache, Vary: "Accept-Encoding" };
    if (!/\bgzip\b/.test(acceptEncoding)) return new Response(inflateRawSync(member.deflated), { headers });
    return new Response(gzip(member), { headers: { ...headers, "Content-Encoding": "gzip" } });
  }
}

/** RFC 1952: no name, no time. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);

function gzip({ deflated, crc32, size }: Member): Buffer<ArrayBuffer> {
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32, 0);
  trailer.writeUInt32LE(size, 4);
  return Buffer.concat([HEADER, deflated, trailer]);
}
