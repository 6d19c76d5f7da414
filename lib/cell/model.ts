import type { OpenOptions } from "../checkpoint/open.js";
import type { Checkpoint } from "../checkpoint/types.js";
import type { LoadOptions, Model } from "../runtime/model.js";

/**
 * Loads a model for inference.
 * @param name a model folder, a GGUF file, a hub-cache folder or the hub's name of a model, `tiny` (the embedded model) or `synthetic:NAME`
 * @throws an error that says what is wrong with the folder, or with the device
 * @example
 * const model = await sdtp.load("tiny");
 * const mine = await sdtp.load("/path/to/model", { dtype: "int8" });
 */
export async function load(name = "tiny", options: LoadOptions = {}): Promise<Model> {
  return (await import("../runtime/model.js")).load(name, options);
}

/**
 * Opens a model: configuration and tensor headers are read and checked, weights are not.
 * @param name as of `load`: a model folder; a GGUF file; a hub-cache folder (`models--org--name`); the hub's name of a model (`org/name`, with
 * `@revision`, `:file.gguf`), which is taken from the hub's cache or fetched into it; `tiny`, the embedded model; `synthetic:NAME`,
 * seeded random weights at a published shape, made when first asked for; `synthetic:/path/to/config.json`
 * @throws an error that says what is wrong where: no such folder, unsupported files, family or settings,
 * damaged safetensors, a tensor that is missing or has another shape than config.json makes it
 * @example
 * const checkpoint = await sdtp.openCheckpoint("/path/to/model");
 * checkpoint.config
 */
export async function openCheckpoint(name: string, options: OpenOptions = {}): Promise<Checkpoint> {
  return (await import("../runtime/open.js")).openModel(name, options);
}
