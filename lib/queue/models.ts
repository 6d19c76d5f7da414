import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, join, resolve, sep } from "node:path";
import { parseHubName } from "../checkpoint/hub/name.js";
import { embeddedName } from "../checkpoint/locate.js";
import { isSyntheticName } from "../checkpoint/synthetic-name.js";
import { syntheticShapes } from "../checkpoint/synthetic-shapes.js";
import { Refusal } from "./jobs.js";

const SYNTHETIC = "synthetic:";

/** The path in what names a model or a scorer, absolute; null where the name is the same on every machine. */
export function pathIn(model: string): string | null {
  if (model === embeddedName) return null;
  if (isSyntheticName(model)) return isShape(model) ? null : resolve(model.slice(SYNTHETIC.length));
  return parseHubName(model) !== null && !existsSync(resolve(model)) ? null : resolve(model);
}

const isShape = (model: string): boolean => Object.hasOwn(syntheticShapes, model.slice(SYNTHETIC.length));

/**
 * What a model of a job is on this machine: a file or folder inside one of the allowed folders, at the same path or under its own
 * name; or one that has no path. That it is the same model is seen by its hash afterwards.
 * @throws Refusal on a path outside of them
 */
export async function placeModel(model: string, path: string | null, allowed: readonly string[]): Promise<string> {
  // A name that is a path on this machine is one, whatever the one who filed it says.
  const wanted = path ?? pathIn(model);
  if (wanted === null) return model;
  const found = await placePath("model", wanted, allowed);
  return isSyntheticName(model) ? `${SYNTHETIC}${found}` : found;
}

/** @throws Refusal where no allowed folder has it */
export async function placePath(what: string, path: string, allowed: readonly string[]): Promise<string> {
  const candidates = [resolve(path), ...allowed.flatMap((folder) => [join(folder, basename(path)), ...(basename(folder) === basename(path) ? [folder] : [])])];
  for (const candidate of candidates) {
    // Links are followed first: one that leads out of a folder is outside.
    const real = await realpath(candidate).catch(() => null);
    if (real === null) continue;
    for (const folder of allowed) {
      const root = await realpath(folder).catch(() => null);
      if (root !== null && `${real}${sep}`.startsWith(root.endsWith(sep) ? root : root + sep)) return candidate;
    }
  }
  const folders = allowed.length === 0 ? "this worker was given none: sdtp worker --models FOLDER" : `this worker's: ${allowed.join(", ")}`;
  throw new Refusal(`${what}: ${path} (is not inside the folders that jobs may use; ${folders})`);
}
