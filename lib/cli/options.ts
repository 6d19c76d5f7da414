import { InvalidArgumentError, type Command } from "commander";
import { presets } from "../pruning/presets.js";

/** Options that every command with a model has. */
export interface ModelOptions {
  model: string;
  threads?: number;
}

export function addModelOptions(command: Command): Command {
  return command
    .option("--model <name>", "a model folder, a hub-cache folder, tiny (the embedded model) or synthetic:NAME", "tiny")
    .option("--threads <n>", "threads for one operator (default: ONNX Runtime's choice)", positiveInteger);
}

/** Options that choose what is pruned. */
export interface PruningOptions {
  scorer?: string;
  kvPolicy?: "evict" | "retain";
}

export function addPruningOptions(command: Command): Command {
  return command
    .option("--scorer <name>", "learned, learned:FILE, norm, recency, random, random:SEED (default: learned where the model has trained modules, else recency)")
    .option("--kv-policy <policy>", "what caches keep of pruned tokens: evict (nothing) or retain (default: the preset's)", kvPolicy);
}

export const presetNames = Object.keys(presets).join(", ");

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("must be a positive integer");
  return value;
}

export function nonNegativeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError("must be an integer, 0 or more");
  return value;
}

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("must be a number");
  return value;
}

function kvPolicy(text: string): "evict" | "retain" {
  if (text !== "evict" && text !== "retain") throw new InvalidArgumentError("must be evict or retain");
  return text;
}
