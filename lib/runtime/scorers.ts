import { existsSync } from "node:fs";
import { openCheckpoint } from "../checkpoint/open.js";
import type { Checkpoint } from "../checkpoint/types.js";
import type { Scorer } from "../methods/scorer.js";
import { attention } from "../methods/scorers/attention.js";
import { blockScorer } from "../methods/scorers/blocks.js";
import { lastAttention } from "../methods/scorers/last-attention.js";
import { learned, readPruner } from "../methods/scorers/learned.js";
import { lastQueryScorer } from "../methods/scorers/last-query.js";
import { norm } from "../methods/scorers/norm.js";
import { random } from "../methods/scorers/random.js";
import { recentScorer } from "../methods/scorers/recent.js";
import { recency } from "../methods/scorers/recency.js";
import { update } from "../methods/scorers/update.js";
import { windowScorer } from "../methods/scorers/window.js";
import { prunerFile, shippedPruner, shippedPruners } from "./pruners.js";

/** `learned` where there are trained modules for the model, beside its weights or in the package, else `recency`. */
export async function defaultScorer(checkpoint: Checkpoint): Promise<Scorer> {
  const file = await prunerFile(checkpoint);
  return file === null ? recency : learned(await readPruner(file));
}

/** What tells a model's own modules. */
type OfModel = Parameters<typeof prunerFile>[0];

/**
 * A scorer by name: `attention`, `window` or `window:TOKENS:NEIGHBOURS`, `last-query` or `last-query:NEIGHBOURS`, `last-attention`, `recent:WEIGHT`, `update`, `blocks:TOKENS:SCORER`, `norm`, `recency`, `random` or `random:SEED`, `learned` (the model's own modules, see `prunerFile`),
 * `learned:FILE` or `learned:NAME` of modules that the package ships, `speculator:MODEL` (a smaller model of the same tokenizer, for methods with `speculation`).
 * @param checkpoint null: none is open, which all but `learned` alone do without
 * @throws on an unknown name, or where there are no trained modules
 */
export async function resolveScorer(name: string, checkpoint: OfModel | null): Promise<Scorer> {
  const [kind, argument] = split(name);
  switch (kind) {
    case "attention":
      if (argument === null) return attention;
      break;
    case "update":
      if (argument === null) return update;
      break;
    case "recent": {
      const latest = Number(argument ?? "1");
      if (!(latest > 0 && Number.isFinite(latest))) throw new Error(`scorer: ${name} (must be recent:WEIGHT, what the last token counts beside the first that looks, as in recent:1.2)`);
      return recentScorer(latest);
    }
    case "blocks": {
      const [, size, inner] = /^(\d+):(.+)$/.exec(argument ?? "") ?? [];
      if (inner === undefined || !positive(Number(size))) throw new Error(`scorer: ${name} (must be blocks:TOKENS:SCORER, as in blocks:64:window:32:1)`);
      return blockScorer(Number(size), await resolveScorer(inner, checkpoint));
    }
    case "norm":
      if (argument === null) return norm;
      break;
    case "recency":
      if (argument === null) return recency;
      break;
    case "window": {
      const [window, kernel] = (argument ?? "32:7").split(":").map(Number);
      if (!odd(kernel) || !positive(window)) throw new Error(`scorer: ${name} (must be window:TOKENS:NEIGHBOURS, the latter odd, as in window:8:7)`);
      return windowScorer(window!, kernel!);
    }
    case "last-query": {
      const [kernel, own] = (argument ?? "5").split(":");
      if (!odd(Number(kernel)) || (own !== undefined && own !== "own")) throw new Error(`scorer: ${name} (must be last-query:NEIGHBOURS, an odd number, as in last-query:5, or last-query:5:own with the last token's own key counted)`);
      return lastQueryScorer(Number(kernel), own !== undefined);
    }
    case "last-attention":
      if (argument === null) return lastAttention;
      break;
    case "speculator":
      if (argument === null || argument === "") throw new Error(`scorer: ${name} (must be speculator:MODEL, a smaller model of the same tokenizer, as in speculator:models/SmolLM2-135M-Instruct)`);
      return speculatorScorer(argument, await (await openCheckpoint(argument)).hash());
    case "random":
      return random(argument === null ? 0 : Number(argument));
    case "learned": {
      const file = argument === null ? checkpoint && (await prunerFile(checkpoint)) : existsSync(argument) ? argument : await shippedPruner(argument);
      if (file === null) {
        const what = argument === null ? `there are no modules for this model beside its weights, nor in the package (train them: sdtp train pruner; or give learned:FILE)` : `${argument} does not exist, nor are there modules of that name (the package has ${(await shippedPruners()).join(", ") || "none"})`;
        throw new Error(`scorer learned: ${what}`);
      }
      return learned(await readPruner(file));
    }
  }
  throw new Error(`scorer: ${name} (known: learned, learned:FILE, learned:NAME, attention, window, window:TOKENS:NEIGHBOURS, recent:WEIGHT, last-query, last-attention, update, blocks:TOKENS:SCORER, norm, recency, random, random:SEED, speculator:MODEL)`);
}

/** @param hash of the model */
function speculatorScorer(model: string, hash: string): Scorer {
  return {
    name: "speculator", key: `speculator:${hash}`, speculator: model,
    score() {
      throw new Error(`scorer speculator: ${model} (reads the prompt before the first block does: for the method specprefill alone)`);
    },
  };
}

const positive = (value: number | undefined): boolean => Number.isSafeInteger(value) && value! > 0;
const odd = (value: number | undefined): boolean => positive(value) && value! % 2 === 1;

function split(name: string): [string, string | null] {
  const colon = name.indexOf(":");
  return colon < 0 ? [name, null] : [name.slice(0, colon), name.slice(colon + 1)];
}
