import { createHash } from "node:crypto";
import type { Stats } from "node:fs";
import { access, constants, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { getMimeType } from "hono/utils/mime";
import { parseNotebook } from "../../notebook/read.js";
import { joined, type Notebook } from "../../notebook/types.js";
import { fileRefusal, Refusal } from "../refusal.js";
import type { Root } from "./place.js";
import type { Trust } from "./trust.js";

/** A file, folder or notebook, as Jupyter's contents API has it. */
export interface Model {
  name: string;
  path: string;
  type: "directory" | "file" | "notebook";
  created: string;
  last_modified: string;
  size: number | null;
  writable: boolean;
  mimetype: string | null;
  format: "json" | "text" | "base64" | null;
  content: unknown;
  hash: string | null;
  hash_algorithm: string | null;
}

export interface Asked {
  content: boolean;
  hash: boolean;
  type?: string;
  format?: string;
}

/** A pipe would be read without end, a device may be anything. @throws Refusal for what is no ordinary file */
export function mustBeFile(info: Stats, path: string): void {
  if (!info.isFile()) throw new Refusal(400, `${path}: is ${info.isDirectory() ? "a folder" : "no file but a pipe, a socket or a device"}`);
}

/** Bytes of a file that is sent into the browser: larger ones are downloaded. */
const LARGEST = 200 * 2 ** 20;

/** @throws Refusal where there is none, it is not what was asked for, or too large to show */
export async function readModel(root: Root, trust: Trust, path: string, asked: Asked): Promise<Model> {
  const file = await root.at(path);
  const info = await stat(file).catch((error) => { throw fileRefusal(error, path || "/"); });
  const model = await modelOf(file, path, info);
  if (asked.type && asked.type !== model.type && !(asked.type === "file" && model.type === "notebook")) throw new Refusal(400, `${path || "/"}: is a ${model.type}, not a ${asked.type}`);
  if (asked.type === "file" && model.type === "notebook") model.type = "file";
  if (model.type === "directory") {
    if (asked.content) {
      model.format = "json";
      model.content = await entries(root, file, path);
    }
    return model;
  }
  if (!asked.content && !asked.hash) return model;
  mustBeFile(info, path);
  if (info.size > LARGEST) throw new Refusal(413, `${path}: has ${Math.round(info.size / 2 ** 20)} MiB, and a browser is sent ${LARGEST / 2 ** 20} at most (Download in the file browser's menu has no limit)`);
  const bytes = await readFile(file).catch((error) => { throw fileRefusal(error, path); });
  if (asked.hash) Object.assign(model, { hash: createHash("sha256").update(bytes).digest("hex"), hash_algorithm: "sha256" });
  if (!asked.content) return model;
  if (model.type === "notebook") {
    model.format = "json";
    model.content = trust.marked(notebookOf(bytes, path));
  } else Object.assign(model, contentOf(bytes, path, asked.format, model.mimetype));
  return model;
}

/** What is told of a file without reading it. */
export async function modelOf(file: string, path: string, info: Stats): Promise<Model> {
  const name = path.split("/").filter(Boolean).at(-1) ?? "";
  const type = info.isDirectory() ? "directory" : name.endsWith(".ipynb") ? "notebook" : "file";
  return {
    name, path: path.split("/").filter(Boolean).join("/"), type,
    created: info.birthtime.toISOString(), last_modified: info.mtime.toISOString(),
    size: type === "directory" ? null : info.size,
    writable: await access(file, constants.W_OK).then(() => true, () => false),
    mimetype: type === "file" ? (getMimeType(name) ?? null) : null,
    format: null, content: null, hash: null, hash_algorithm: null,
  };
}

async function entries(root: Root, folder: string, path: string): Promise<Model[]> {
  const names = await readdir(folder).catch((error) => { throw fileRefusal(error, path || "/"); });
  const found = await Promise.all(names.filter((name) => !name.startsWith(".")).map(async (name): Promise<Model | undefined> => {
    const below = path === "" ? name : `${path}/${name}`;
    try {
      // What leads out of the folder, is gone by now, or may not be looked at is not shown.
      const file = await root.at(below);
      const info = await stat(file);
      return info.isDirectory() || info.isFile() ? await modelOf(join(folder, name), below, info) : undefined;
    } catch {
      return undefined;
    }
  }));
  return found.filter((each) => each !== undefined);
}

function notebookOf(bytes: Buffer, path: string) {
  try {
    return rejoined(parseNotebook(bytes.toString("utf8"), path, false));
  } catch (error) {
    throw new Refusal(400, (error as Error).message);
  }
}

/** Text in one piece, as clients of the API expect it. */
function rejoined(notebook: Notebook): Notebook {
  const whole = (data: Record<string, unknown>) => {
    for (const [type, value] of Object.entries(data)) if (!/\bjson$/.test(type) && Array.isArray(value) && value.every((each) => typeof each === "string")) data[type] = value.join("");
  };
  for (const cell of notebook.cells) {
    cell.source = joined(cell.source);
    if ("attachments" in cell) Object.values(cell.attachments ?? {}).forEach(whole);
    if (cell.cell_type !== "code") continue;
    for (const output of cell.outputs) {
      if (output.output_type === "stream") output.text = joined(output.text);
      else if ("data" in output) whole(output.data);
    }
  }
  return notebook;
}

function contentOf(bytes: Buffer, path: string, format: string | undefined, mimetype: string | null): Partial<Model> {
  if (format !== "base64") {
    try {
      return { content: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes), format: "text", mimetype: mimetype ?? "text/plain" };
    } catch {
      if (format === "text") throw new Refusal(400, `${path}: is not UTF-8 text`);
    }
  }
  return { content: bytes.toString("base64"), format: "base64", mimetype: mimetype ?? "application/octet-stream" };
}
