import { mkdir, readFile, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { writeWhole } from "../../files.js";
import { fileRefusal } from "../refusal.js";
import { mustBeFile } from "./model.js";
import type { Root } from "./place.js";
import { checkpointOf } from "./write.js";

/** One a file, as Jupyter's own server has it. */
export interface Checkpoint {
  id: "checkpoint";
  last_modified: string;
}

export async function checkpoints(root: Root, path: string): Promise<Checkpoint[]> {
  const info = await stat(checkpointOf(await root.at(path))).catch(() => undefined);
  return info ? [{ id: "checkpoint", last_modified: info.mtime.toISOString() }] : [];
}

/** Keeps the file as it is now. @throws Refusal */
export async function keep(root: Root, path: string): Promise<Checkpoint> {
  const file = await root.at(path);
  return copied(file, checkpointOf(file), path);
}

/** The file as it was kept. @throws Refusal */
export async function restore(root: Root, path: string): Promise<void> {
  const file = await root.at(path);
  await copied(checkpointOf(file), file, path);
}

export async function forget(root: Root, path: string): Promise<void> {
  await rm(checkpointOf(await root.at(path)), { force: true });
}

async function copied(from: string, to: string, path: string): Promise<Checkpoint> {
  try {
    mustBeFile(await stat(from), path);
    const content = await readFile(from);
    await mkdir(dirname(to), { recursive: true });
    await writeWhole(to, content);
    return { id: "checkpoint", last_modified: (await stat(to)).mtime.toISOString() };
  } catch (error) {
    throw fileRefusal(error, path);
  }
}
