// A server on this machine that speaks the routes of the hub: https://huggingface.co/docs/hub/api
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

export interface Repository {
  /** Contents by path; those in `large` are told by sha256, as LFS has them. */
  readonly files: Readonly<Record<string, Buffer | string>>;
  readonly large?: readonly string[];
  readonly commit?: string;
  readonly gated?: string;
}

export interface Hub {
  readonly url: string;
  /** Requests so far: `GET /api/…`, with the range where one was asked for. */
  readonly requests: string[];
  /** Called before a file is sent; may send something else itself, and then says true. */
  misbehave: ((request: IncomingMessage, response: ServerResponse, bytes: Buffer, start: number) => boolean) | null;
  /** What answers in the hub's place; null: the hub. */
  instead: ((request: IncomingMessage) => { status: number; body: string } | null) | null;
}

export const commit = "0123456789abcdef0123456789abcdef01234567";
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
export const gitHash = (bytes: Buffer) => createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

/** @param repositories by `models/org/name`, `datasets/org/name` */
export async function hub(t: TestContext, repositories: Readonly<Record<string, Repository>>): Promise<Hub> {
  const state: Pick<Hub, "misbehave" | "instead"> & { requests: string[] } = { requests: [], misbehave: null, instead: null };
  const server = createServer((request, response) => {
    const url = new URL(request.url!, "http://hub");
    state.requests.push(`${request.method} ${decodeURIComponent(url.pathname)}${request.headers.range ? ` ${request.headers.range}` : ""}`);
    const other = state.instead?.(request);
    if (!other) return answer(request, response, decodeURIComponent(url.pathname));
    response.writeHead(other.status, { "content-type": "application/json" });
    response.end(other.body);
  });
  const json = (response: ServerResponse, value: unknown, status = 200, headers: Record<string, string> = {}) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(value));
  };
  const refuse = (response: ServerResponse, status: number, code: string, message: string) => json(response, { error: message }, status, { "X-Error-Code": code, "X-Error-Message": message });

  function answer(request: IncomingMessage, response: ServerResponse, path: string): void {
    const api = /^\/api\/(models|datasets)\/([^/]+\/[^/]+)\/(revision|tree)\/([^/]+)/.exec(path);
    const resolve = /^\/(datasets\/)?([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    const key = api ? `${api[1]}/${api[2]}` : resolve ? `${resolve[1] ? "datasets" : "models"}/${resolve[2]}` : "";
    const repository = repositories[key];
    if (!repository) return refuse(response, 401, "RepoNotFound", "Repository not found");
    const own = repository.commit ?? commit;
    const revision = api ? api[4]! : resolve![3]!;
    if (repository.gated && request.headers.authorization !== "Bearer hf_member") return refuse(response, 403, "GatedRepo", repository.gated);
    if (!["main", own].includes(revision)) return refuse(response, 404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    if (api?.[3] === "revision") return json(response, { _id: "1", id: api[2], sha: own, siblings: [] });
    if (api) {
      return json(response, Object.entries(repository.files).map(([file, content]) => {
        const bytes = Buffer.from(content);
        const lfs = repository.large?.includes(file) ? { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } } : {};
        return { type: "file", path: file, size: bytes.length, oid: gitHash(bytes), ...lfs };
      }));
    }
    const file = resolve![4]!;
    if (repository.files[file] === undefined) return refuse(response, 404, "EntryNotFound", "Entry not found");
    send(request, response, Buffer.from(repository.files[file]));
  }

  function send(request: IncomingMessage, response: ServerResponse, bytes: Buffer): void {
    const range = /^bytes=(\d+)-(\d+)?$/.exec(request.headers.range ?? "");
    const [start, end] = range ? [Number(range[1]), range[2] === undefined ? bytes.length : Number(range[2]) + 1] : [0, bytes.length];
    const isProbe = range !== null && end - start === 1;
    if (!isProbe && state.misbehave?.(request, response, bytes, start)) return;
    const part = bytes.subarray(start, end);
    response.writeHead(range ? 206 : 200, { "content-length": part.length, etag: `"${gitHash(bytes)}"`, ...(range && { "content-range": `bytes ${start}-${start + part.length - 1}/${bytes.length}` }) });
    response.end(part);
  }

  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(state, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}
