import { constants } from "node:fs";
import { access, appendFile, copyFile, mkdir, open, readdir, rename, rm, rmdir, stat, unlink } from "node:fs/promises";
import { extname, join, dirname, basename } from "node:path";
import { writeWhole } from "../../files.js";
import { parseNotebook } from "../../notebook/read.js";
import { lines, type Cell, type Notebook } from "../../notebook/types.js";
import { inLines } from "../../notebook/run/outputs.js";
import { stringifyNotebook } from "../../notebook/write.js";
import { fileRefusal, Refusal } from "../refusal.js";
import { mustBeFile } from "./model.js";
import type { Root } from "./place.js";
import type { Trust } from "./trust.js";

/** What a save brings. */
export interface Saved {
  type?: string;
  format?: string | null;
  content?: unknown;
  /** Large files come in pieces: 1, 2, … and -1 for the last. */
  chunk?: number;
}

/** The text of a notebook as Jupyter stores it: sorted keys, text in lines. */
export function notebookText(notebook: Notebook): string {
  const cells = notebook.cells.map((cell): Cell => {
    const source = Array.isArray(cell.source) ? cell.source : lines(cell.source);
    return cell.cell_type === "code" ? { ...cell, source, outputs: inLines(cell.outputs) } : { ...cell, source };
  });
  return stringifyNotebook(sorted({ ...notebook, cells }) as Notebook);
}

/** Stores a file whole or not at all. @throws Refusal */
export async function save(root: Root, trust: Trust, path: string, saved: Saved): Promise<void> {
  const file = await root.at(path);
  try {
    if (saved.type === "directory") return void (await mkdir(file).catch((error) => { if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; }));
    if (await stat(file).then((info) => info.isDirectory(), () => false)) throw new Refusal(400, `${path}: is a folder`);
    if (saved.chunk !== undefined) return await saveChunk(file, path, saved);
    await writeWhole(file, saved.type === "notebook" ? await notebookBytes(trust, path, saved.content) : bytesOf(path, saved));
  } catch (error) {
    throw fileRefusal(error, path);
  }
}

async function notebookBytes(trust: Trust, path: string, content: unknown): Promise<string> {
  let notebook: Notebook;
  try {
    // What is no notebook never takes the place of one.
    notebook = parseNotebook(typeof content === "string" ? content : JSON.stringify(content ?? null), path, false);
  } catch (error) {
    throw new Refusal(400, (error as Error).message);
  }
  await trust.take(notebook);
  return notebookText(notebook);
}

function bytesOf(path: string, { format, content }: Saved): string | Buffer {
  if (typeof content !== "string") throw new Refusal(400, `${path}: content (must be text)`);
  if (format === "base64") return Buffer.from(content, "base64");
  if (format !== "text") throw new Refusal(400, `${path}: format ${String(format)} (must be text or base64)`);
  return content;
}

/** Where the pieces of a file gather, hidden. */
export function partialOf(file: string): string {
  return join(dirname(file), `.${basename(file)}.upload`);
}

/** With the last piece the file takes its name. */
async function saveChunk(file: string, path: string, saved: Saved): Promise<void> {
  const partial = partialOf(file);
  const bytes = bytesOf(path, saved);
  try {
    if (saved.chunk === 1) await rm(partial, { force: true });
    else if (!(await stat(partial).catch(() => undefined))) throw new Refusal(400, `${path}: chunk ${saved.chunk} came without chunk 1`);
    await appendFile(partial, bytes);
    if (saved.chunk === -1) await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** A new file of no name yet. @returns its path */
export async function create(root: Root, folder: string, { type, ext = ".txt" }: { type?: string; ext?: string }): Promise<string> {
  if (type === "directory") return free(folder, "Untitled Folder", "", " ", async (path) => void (await mkdir(await root.at(path))));
  if (type === "notebook") return free(folder, "Untitled", ".ipynb", "", async (path) => exclusive(await root.at(path), stringifyNotebook({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [] })));
  if (!/^(\.[A-Za-z0-9_-]+)*$/.test(ext)) throw new Refusal(400, `ext: ${ext} (must be an ending such as .txt)`);
  return free(folder, "untitled", ext, "", async (path) => exclusive(await root.at(path), ""));
}

/** A copy beside others in `folder`, `NAME-Copy1.EXT`. @returns its path */
export async function copy(root: Root, folder: string, from: string): Promise<string> {
  const source = await root.at(from);
  const info = await stat(source).catch((error) => { throw fileRefusal(error, from); });
  if (info.isDirectory()) throw new Refusal(400, `${from}: folders are not copied`);
  mustBeFile(info, from);
  const name = basename(from);
  const stem = name.slice(0, name.length - extname(name).length).replace(/-Copy\d*$/, "");
  const inPlace = (folder || "") === dirname(from).replace(/^\.$/, "");
  const put = async (path: string) => copyFile(source, await root.at(path), constants.COPYFILE_EXCL);
  if (!inPlace) return free(folder, stem, extname(name), "-Copy", put);
  return free(folder, `${stem}-Copy`, extname(name), "", put, 1);
}

/** @throws Refusal where something has the new name already */
export async function move(root: Root, from: string, to: string): Promise<void> {
  const [source, target] = [await root.at(from), await root.at(to)];
  try {
    const there = await stat(target).catch(() => undefined);
    const same = there && (await stat(source)).ino === there.ino;
    if (there && !same) throw new Refusal(409, `${to}: is there already`);
    await rename(source, target);
    const [before, after] = [checkpointOf(source), checkpointOf(target)];
    if (await access(before).then(() => true, () => false)) await mkdir(dirname(after), { recursive: true }).then(() => rename(before, after)).catch(() => undefined);
  } catch (error) {
    throw fileRefusal(error, from);
  }
}

/** Removes a file, or a folder that is empty but for checkpoints. @throws Refusal */
export async function remove(root: Root, path: string): Promise<void> {
  const file = await root.at(path);
  if (file === root.folder) throw new Refusal(400, "/: the lab's folder stays");
  try {
    if ((await stat(file)).isDirectory()) {
      if ((await readdir(file)).every((name) => name === ".ipynb_checkpoints")) await rm(join(file, ".ipynb_checkpoints"), { recursive: true, force: true });
      await rmdir(file);
    } else {
      await unlink(file);
      await rm(checkpointOf(file), { force: true });
    }
  } catch (error) {
    throw fileRefusal(error, path);
  }
}

/** Where Jupyter keeps a file's checkpoint. */
export function checkpointOf(file: string): string {
  const name = basename(file);
  const ending = extname(name);
  return join(dirname(file), ".ipynb_checkpoints", `${name.slice(0, name.length - ending.length)}-checkpoint${ending}`);
}

/** Calls `make` with paths of names that count up until one is not taken. */
async function free(folder: string, stem: string, ending: string, separator: string, make: (path: string) => Promise<void>, first = 0): Promise<string> {
  for (let n = first; ; n++) {
    const name = `${stem}${n === 0 ? "" : `${separator}${n}`}${ending}`;
    const path = folder === "" ? name : `${folder}/${name}`;
    try {
      await make(path);
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw fileRefusal(error, path);
    }
  }
}

/** A file that was not there, and is not where it cannot be written whole. */
async function exclusive(file: string, content: string): Promise<void> {
  const handle = await open(file, "wx");
  try {
    await handle.writeFile(content);
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object" || value instanceof Number) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([key, each]) => [key, sorted(each)]));
}
