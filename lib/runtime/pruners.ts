import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../checkpoint/package-root.js";
import { readSafetensorsHeader } from "../checkpoint/safetensors.js";
import type { Checkpoint } from "../checkpoint/types.js";

/** The file beside a model's weights that holds its trained pruning modules. */
const PRUNER_FILE = "pruner.safetensors";

const shippedFolder = () => join(packageRoot(), "lib", "models", "pruners");

/** Names of the modules that the package ships for public models. */
export async function shippedPruners(folder = shippedFolder()): Promise<string[]> {
  if (!existsSync(folder)) return [];
  const found = await readdir(folder, { withFileTypes: true });
  return found.filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, PRUNER_FILE))).map(({ name }) => name).sort();
}

/**
 * The pruning modules of a model: those beside its weights, else the shipped ones that were trained on it, told by the checkpoint's hash (that of
 * the weights as they are stored, whatever dtype they are held in); null: there are none.
 */
export async function prunerFile(checkpoint: Pick<Checkpoint, "folder" | "hash" | "config" | "original">, folder = shippedFolder()): Promise<string | null> {
  const own = join(checkpoint.folder, PRUNER_FILE);
  if (existsSync(own)) return own;
  for (const name of await shippedPruners(folder)) {
    const file = join(folder, name, PRUNER_FILE);
    const { metadata, tensors } = await readSafetensorsHeader(file);
    // A hash takes a while where weights are large: the size of hidden states rules most models out.
    const size = [...tensors.values()].find(({ shape }) => shape.length === 2 && shape[0] !== 1)?.shape[1];
    if (size === checkpoint.config.hiddenSize && metadata["model"] === (await (checkpoint.original ?? checkpoint).hash())) return file;
  }
  return null;
}

/** The file of modules that the package ships under a name; null: none is called so. */
export async function shippedPruner(name: string, folder = shippedFolder()): Promise<string | null> {
  return (await shippedPruners(folder)).includes(name) ? join(folder, name, PRUNER_FILE) : null;
}
