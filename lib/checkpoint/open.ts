import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readConfig } from "./config.js";
import { hashCheckpoint } from "./hash.js";
import { readJsonObject } from "./json.js";
import { locateFolder } from "./locate.js";
import { isSyntheticName, isSyntheticMetadata, makeSynthetic, type SyntheticOptions } from "./synthetic.js";
import { loadTokenizer } from "./tokenizer.js";
import type { Checkpoint } from "./types.js";
import { checkTensors, indexFile, readWeights, weightsFile } from "./weights.js";

export interface OpenOptions {
  /** How `synthetic:NAME` is made; no effect on other models. */
  readonly synthetic?: SyntheticOptions;
}

/**
 * Opens a model: configuration and tensor headers are read and checked, weights are not.
 * @param name a model folder; a hub-cache folder (`models--org--name`); `tiny`, the embedded model; `synthetic:NAME`,
 * seeded random weights at a published shape, made when first asked for; `synthetic:/path/to/config.json`
 * @throws an error that says what is wrong where: no such folder, unsupported files, family or settings,
 * damaged safetensors, a tensor that is missing or has another shape than config.json makes it
 */
export async function openCheckpoint(name: string, { synthetic }: OpenOptions = {}): Promise<Checkpoint> {
  const folder = isSyntheticName(name) ? await makeSynthetic(name, synthetic) : await locateFolder(name);
  return openFolder(folder, name);
}

/** Opens the folder that holds config.json. @param name as it is to appear in results */
export async function openFolder(folder: string, name = folder): Promise<Checkpoint> {
  if (!existsSync(join(folder, "config.json"))) throw await noConfig(folder);
  const config = await readConfig(folder);
  const { tensors, metadata } = await readWeights(folder);
  checkTensors(config, tensors, folder);
  const synthetic = isSyntheticMetadata(metadata);
  const tokenizer = once(() => loadTokenizer(folder));
  const hash = once(async () => hashCheckpoint(await readJsonObject(join(folder, "config.json")), tensors.values()));
  return {
    name,
    folder,
    config,
    tensors,
    synthetic,
    async tokenizer() {
      if (synthetic) throw new Error(`tokenizer: ${name} has synthetic weights and no tokenizer (give the prompt as token ids)`);
      return tokenizer();
    },
    hash,
  };
}

async function noConfig(folder: string): Promise<Error> {
  const files = await readdir(folder);
  const found = files.length === 0 ? "is empty" : `has no config.json, but ${files.slice(0, 5).join(", ")}${files.length > 5 ? ", …" : ""}`;
  return new Error(`model: ${folder} ${found} (supported: a Hugging Face folder with config.json and ${weightsFile}, or shards with ${indexFile})`);
}

/** Runs `make` once and keeps what it gave; after a failure the next call tries again. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () =>
    (made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    }));
}
