import { InvalidArgumentError, Option, type Command } from "commander";
import { kvDtypes, type KvDtype } from "../checkpoint/kv-dtype.js";
import { methodNames } from "../methods/all.js";
import { methodForms } from "../methods/resolve.js";
import type { LoadOptions, Model } from "../runtime/model.js";
import { devices, mustBeDevice, requireDevice, type Device } from "../runtime/devices/names.js";
import { LIBRARY_VARIABLE } from "../runtime/providers/names.js";

/** Options that every command with a model has. */
export interface ModelOptions {
  model: string;
  threads?: number;
  device?: Device;
  dtype?: string;
  kvDtype?: KvDtype;
  accuracy?: AccuracyOption;
}

export function addModelOptions(command: Command): Command {
  return addProviderOption(addCheckpointOptions(command).option("--device <name>", `where to run: ${devices.join(", ")}, plugin:NAME; auto: the best that computes what the CPU does (sdtp doctor shows it), openvino and plugin:NAME: plugin providers (sdtp provider)`, deviceName, "cpu"));
}

/** Goes through the environment: processes that measure or check are started from here. */
export const addProviderOption = (command: Command): Command =>
  command.option("--provider-library <path>", "library of a plugin provider of ONNX Runtime, for --device openvino or plugin:NAME (default: what sdtp provider add brought)", (path: string) => (process.env[LIBRARY_VARIABLE] = path));

function deviceName(text: string): Device {
  try {
    return requireDevice(text);
  } catch {
    throw new InvalidArgumentError(mustBeDevice);
  }
}

/** For what runs on the CPU alone. */
export function addCheckpointOptions(command: Command): Command {
  return command
    .option("--model <name>", "a model folder, a hub-cache folder, tiny (the embedded model) or synthetic:NAME", "tiny")
    .option("--threads <n>", "threads for one operator (default: ONNX Runtime's choice)", positiveInteger);
}

export const dtypeHelp = "what weights are held in: fp32, fp16, int8, int4, with choices as in int4:symmetric:head=fp16:embedding=int8; int4 is rounded by the model's own inputs, which takes a while, int4:nearest is not; stored: as in the model's files, without loss; compact: so too but for types whose lossless form takes much more than the file, which get the nearest smaller one; made once, kept in the cache folder, and gone on with where it was stopped (default: stored, for GGUF files compact)";

export const addDtypeOption = (command: Command): Command => command.option("--dtype <name>", dtypeHelp);

export const addKvDtypeOption = (command: Command): Command =>
  command.addOption(new Option("--kv-dtype <name>", "what caches hold keys and values in (default: fp32; fp16 where that is computed in)").choices(kvDtypes));

const accuracies = ["int8", "float32", "float16"] as const;
type AccuracyOption = (typeof accuracies)[number];

export const addAccuracyOption = (command: Command): Command =>
  command.addOption(new Option("--accuracy <name>", "what activations are rounded to: int8 where they meet int8 and int4 weights (default on the CPU), float32 not at all, slower there, float16 with weights and caches too (default on GPUs with --dtype fp16; on the CPU slowly, to see what that costs)").choices(accuracies));

/**
 * A model loaded as the options say, with a bar while weights are made or converted.
 * @throws AbortError on `signal`
 */
export async function loadModel({ model, threads, device, dtype, kvDtype, accuracy }: ModelOptions, signal?: AbortSignal, more: LoadOptions = {}): Promise<Model> {
  const [{ load }, { progressBar }] = await Promise.all([import("../runtime/model.js"), import("./progress.js")]);
  const bar = progressBar();
  if (dtype?.split(":")[0] === "fp16" && device === "cpu" && accuracy !== "float16") process.stderr.write("fp16: the CPU computes in float32; weights are widened when they are loaded\n");
  try {
    const loaded = await load(model, {
      ...more, ...(device && { device }), ...(threads !== undefined && { threads }), ...(dtype !== undefined && { dtype }), ...(kvDtype && { kvDtype }), ...(accuracy && { accuracy }), ...(signal && { signal }),
      onFetch: ({ done, total, file }) => bar.update(total === 0 ? 1 : done / total, `fetching ${file}`),
      onProgress: (done, total) => bar.update(done / total, `weights${dtype === undefined ? "" : ` in ${dtype}`}`),
      onNote(message) {
        bar.clear();
        process.stderr.write(`${message}\n`);
      },
    });
    return loaded;
  } finally {
    bar.stop();
  }
}

/** How prompts are taken. */
export interface PieceOption {
  piece?: number | "whole";
}

export const addPieceOption = (command: Command): Command =>
  command.option("--piece <n>", "take prompts through the blocks in pieces of so many tokens, which takes less memory; whole: never (default: 512 where memory does not hold a prompt as a whole)", (text: string) => (text === "whole" ? text : positiveInteger(text)));

/** Options that choose what is pruned. */
export interface PruningOptions {
  scorer?: string;
  kvPolicy?: "evict" | "retain";
}

export function addPruningOptions(command: Command): Command {
  return command
    .option("--scorer <name>", "learned, learned:FILE, window, last-query, last-attention, recent:WEIGHT, update, blocks:TOKENS:SCORER, norm, recency, random, random:SEED, attention, speculator:MODEL (for specprefill); by attention (window, attention) after a late block only: an early one chose badly on a real model (default: the method's own; else learned where the model has trained modules, else recency)")
    .option("--kv-policy <policy>", "what caches keep of pruned tokens: evict (nothing) or retain (default: the preset's)", kvPolicy);
}

/** What `--config` takes. */
export const presetNames = `${methodNames.join(", ")}, ${methodForms}`;

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
