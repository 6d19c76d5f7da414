import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Checkpoint } from "../checkpoint/types.js";
import type { Scorer } from "../methods/scorer.js";
import { attention } from "../methods/scorers/attention.js";
import { learned, readPruner } from "../methods/scorers/learned.js";
import { norm } from "../methods/scorers/norm.js";
import { random } from "../methods/scorers/random.js";
import { recency } from "../methods/scorers/recency.js";

/** The file beside a model's weights that holds its trained pruning modules. */
const PRUNER_FILE = "pruner.safetensors";

/** `learned` where the model folder has trained modules, else `recency`. */
export async function defaultScorer(checkpoint: Checkpoint): Promise<Scorer> {
  return existsSync(join(checkpoint.folder, PRUNER_FILE)) ? resolveScorer("learned", checkpoint) : recency;
}

/**
 * A scorer by name: `attention`, `norm`, `recency`, `random` or `random:SEED`, `learned` (the model folder's pruner.safetensors)
 * or `learned:FILE`.
 * @throws on an unknown name, or where there are no trained modules
 */
export async function resolveScorer(name: string, checkpoint: Pick<Checkpoint, "folder">): Promise<Scorer> {
  const [kind, argument] = split(name);
  switch (kind) {
    case "attention":
      if (argument === null) return attention;
      break;
    case "norm":
      if (argument === null) return norm;
      break;
    case "recency":
      if (argument === null) return recency;
      break;
    case "random":
      return random(argument === null ? 0 : Number(argument));
    case "learned": {
      const file = argument ?? join(checkpoint.folder, PRUNER_FILE);
      if (!existsSync(file)) throw new Error(`scorer learned: ${file} does not exist (train modules for this model, or give learned:FILE)`);
      return learned(await readPruner(file));
    }
  }
  throw new Error(`scorer: ${name} (known: learned, learned:FILE, attention, norm, recency, random, random:SEED)`);
}

function split(name: string): [string, string | null] {
  const colon = name.indexOf(":");
  return colon < 0 ? [name, null] : [name.slice(0, colon), name.slice(colon + 1)];
}
