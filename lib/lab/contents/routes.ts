import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import type { Context, Hono } from "hono";
import { getMimeType } from "hono/utils/mime";
import { parseNotebook } from "../../notebook/read.js";
import { body, pathAfter } from "../requests.js";
import { fileRefusal, Refusal } from "../refusal.js";
import { checkpoints, forget, keep, restore } from "./checkpoints.js";
import { modelOf, mustBeFile, readModel, type Model } from "./model.js";
import type { Root } from "./place.js";
import type { Trust } from "./trust.js";
import type { Turns } from "./turns.js";
import { copy, create, move, partialOf, remove, save, type Saved } from "./write.js";

/** Told of what the contents API does with a file, before it is read and after it changed. */
export interface Watcher {
  /** Outputs that belong into it are written first. */
  beforeRead?(path: string): Promise<void>;
  saved?(path: string): void;
  moved?(from: string, to: string): void;
}

const PREFIX = "/api/contents";

/** Files and folders. https://jupyter-server.readthedocs.io/en/latest/developers/contents.html */
export function contentsRoutes(app: Hono, root: Root, trust: Trust, turns: Turns, watcher: Watcher): void {
  const whole = async (path: string) => readModel(root, trust, path, { content: false, hash: false });
  const isFolder = async (path: string) => stat(await root.at(path)).then((info) => info.isDirectory(), () => false);
  /** The path, and what of its checkpoints is meant. A folder has none: what is in one may have any name, `checkpoints` too. */
  const split = async (c: Context) => {
    const path = pathAfter(c, PREFIX);
    const [, file, id] = /^(.*)\/checkpoints(?:\/([^/]+))?$/s.exec(path) ?? [];
    return file === undefined || (await isFolder(file)) ? { path } : { path: file, checkpoint: id ?? true as const };
  };

  app.get(`${PREFIX}/*`, async (c) => {
    const { path, checkpoint } = await split(c);
    if (checkpoint !== undefined) return c.json(await checkpoints(root, path));
    await watcher.beforeRead?.(path);
    const [type, format] = [c.req.query("type"), c.req.query("format")];
    return c.json(await turns.take(path, () => readModel(root, trust, path, { content: c.req.query("content") !== "0", hash: c.req.query("hash") === "1", ...(type !== undefined && { type }), ...(format !== undefined && { format }) })));
  });
  app.put(`${PREFIX}/*`, async (c) => {
    const path = pathAfter(c, PREFIX);
    const saved = await body<Saved>(c);
    return turns.take(path, async () => {
      await save(root, trust, path, saved);
      watcher.saved?.(path);
      if (saved.chunk === undefined || saved.chunk === -1) return c.json(await whole(path));
      const partial = partialOf(await root.at(path));
      return c.json(await modelOf(partial, path, await stat(partial)));
    });
  });
  app.post(`${PREFIX}/*`, async (c) => {
    const { path, checkpoint } = await split(c);
    if (checkpoint === true) return c.json(await turns.take(path, () => keep(root, path)), 201);
    if (checkpoint !== undefined) {
      await turns.take(path, () => restore(root, path));
      return c.body(null, 204);
    }
    const [, notebook] = /^(.*)\/trust$/s.exec(path) ?? [];
    if (notebook !== undefined && !(await isFolder(notebook))) return trusted(c, notebook);
    const asked = await body<{ type?: string; ext?: string; copy_from?: string }>(c);
    const made = asked.copy_from !== undefined ? await copy(root, path, asked.copy_from) : await create(root, path, asked);
    return c.json(await whole(made), 201, { Location: `${PREFIX}/${encodeURI(made)}` });
  });
  app.patch(`${PREFIX}/*`, async (c) => {
    const path = pathAfter(c, PREFIX);
    const { path: to } = await body<{ path?: string }>(c);
    if (typeof to !== "string" || to === "") throw new Refusal(400, "path: none (must be the new one)");
    await watcher.beforeRead?.(path);
    return turns.take([path, to], async () => {
      await move(root, path, to.replace(/^\/+/, ""));
      watcher.moved?.(path, to.replace(/^\/+/, ""));
      return c.json(await whole(to));
    });
  });
  app.delete(`${PREFIX}/*`, async (c) => {
    const { path, checkpoint } = await split(c);
    await turns.take(path, () => (checkpoint !== undefined ? forget(root, path) : remove(root, path)));
    return c.body(null, 204);
  });

  const trusted = async (c: Context, path: string): Promise<Response> => {
    const { readText } = await import("../../files.js");
    const file = await root.at(path);
    await trust.sign(parseNotebook(await readText("notebook", file), path, false));
    return c.body(null, 201);
  };

  // Files as they are. A page among them may run its scripts, but is of no origin: it cannot use the lab.
  app.get("/files/*", async (c) => {
    const path = pathAfter(c, "/files");
    const file = await root.at(path);
    const info = await stat(file).catch((error) => { throw fileRefusal(error, path); });
    mustBeFile(info, path);
    const { name }: Model = await modelOf(file, path, info);
    return new Response(Readable.toWeb(createReadStream(file)) as ReadableStream, {
      headers: {
        "Content-Type": getMimeType(name) ?? "application/octet-stream", "Content-Length": String(info.size), "Cache-Control": "no-cache",
        "Content-Security-Policy": "sandbox allow-scripts; frame-ancestors 'self'",
        ...(c.req.query("download") !== undefined && { "Content-Disposition": `attachment; filename*=UTF-8''${encodeURIComponent(name)}` }),
      },
    });
  });
}
