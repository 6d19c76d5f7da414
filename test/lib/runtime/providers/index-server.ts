// A package index on this machine, by the simple repository API, and wheels that are made here.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { strToU8, zipSync } from "fflate";

/** A wheel with a file that has the name that ONNX Runtime looks up in a plugin's library, and does nothing. */
export function wheel(files: Readonly<Record<string, string>> = { "onnxruntime_ep_test/libtest_plugin.so": "\0CreateEpFactories\0", "onnxruntime_ep_test/__init__.py": "" }): Uint8Array {
  return zipSync(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, strToU8(text, true)])));
}

export interface Offered {
  readonly bytes: Uint8Array;
  readonly yanked?: boolean;
  /** What the index says of it; default: what is true; null: nothing. */
  readonly sha256?: string | null;
}

export interface Index {
  readonly url: string;
  /** `METHOD path`, with the authorization where there was one. */
  readonly requests: string[];
}

/** @param packages wheels by name, by package @param form which pages it has */
export async function index(t: TestContext, packages: Readonly<Record<string, Readonly<Record<string, Offered>>>>, form: "json" | "html" = "json"): Promise<Index> {
  const requests: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    requests.push([request.method, request.url, request.headers.authorization].filter(Boolean).join(" "));
    const [, place, name, file] = request.url!.split("/");
    const all = packages[name ?? ""];
    if (place === "files") return void response.end(all?.[decodeURIComponent(file!)]?.bytes);
    if (!all) return void response.writeHead(404).end();
    const listed = Object.entries(all).map(([filename, { bytes, yanked = false, sha256 = createHash("sha256").update(bytes).digest("hex") }]) => ({ filename, url: `../../files/${name}/${filename}`, hashes: sha256 === null ? {} : { sha256 }, yanked }));
    if (form === "json") return void response.writeHead(200, { "content-type": "application/vnd.pypi.simple.v1+json" }).end(JSON.stringify({ meta: { "api-version": "1.0" }, name, files: listed }));
    const links = listed.map(({ filename, url, hashes, yanked }) => `<a href="${url}${hashes.sha256 ? `#sha256=${hashes.sha256}` : ""}"${yanked ? " data-yanked=\"\"" : ""}>${filename}</a><br/>`);
    response.writeHead(200, { "content-type": "text/html" }).end(`<!DOCTYPE html><html><body>${links.join("\n")}</body></html>`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple/`, requests };
}
