import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { cached, cacheFolder } from "../cache.js";
import type { ConvertOptions } from "../convert.js";
import { filesIdentity, hashCheckpoint } from "../hash.js";
import { once } from "../once.js";
import { joinQuantised } from "../quantised.js";
import { loadTokenizer } from "../tokenizer.js";
import type { Checkpoint, StoredTensor } from "../types.js";
import { checkTensors, readWeights } from "../weights.js";
import { ggufChatTemplate } from "./chat-template.js";
import { ggufConfig, type GgufConfig } from "./config.js";
import { describedConfig } from "./described.js";
import { convertGguf } from "./convert.js";
import { readGguf } from "./split.js";
import { asStored, inPlace, locateTensors, type LocatedTensor } from "./tensors.js";
import { ggufTokenizer, ggufTokenizerJson } from "./tokenizer.js";
import { ggmlTypes, isPlain, type GgmlType } from "./types.js";

/** Counted up when the same file would be converted to other bytes, so that old cache entries are not used. */
const CONVERTER_VERSION = 2;

/**
 * Opens a GGUF file, or a model of several parts by any of them. F32, F16 and BF16 weights are used where they are; where there are
 * quantised ones, all are converted once into the cache folder, with nothing lost.
 * @param name as it is to appear in results
 * @throws an error that names the file and what in it is not supported
 */
export async function openGguf(path: string, name: string, options: ConvertOptions = {}): Promise<Checkpoint> {
  // A part may be a link into a store of files under other names, as in the hub's cache: the others are beside the link.
  const header = await readGguf(path);
  const file = await realpath(path);
  const parsed = await ggufConfig(header, path);
  const located = await Promise.all(locateTensors(parsed, header, path).map(async (each) => ({ ...each, tensor: { ...each.tensor, file: await realpath(each.tensor.file) } })));
  const quantised = located.some(({ tensor }) => !isPlain(tensor.type));
  const tensors = quantised ? await converted(file, parsed, located, name, options) : new Map(located.map((each) => [each.name, inPlace(each)]));
  checkTensors(parsed.config, tensors, path);
  const folder = dirname(path);
  const own = once(async () => ggufTokenizer(header.metadata, path));
  return {
    name,
    folder,
    config: parsed.config,
    dtype: mostly(located),
    tensors,
    synthetic: false,
    described: { config: () => describedConfig(parsed, path), tokenizer: () => ggufTokenizerJson(header.metadata, path) },
    tokenizer: () => (existsSync(join(folder, "tokenizer.json")) ? loadTokenizer(folder) : own()),
    chatTemplate: once(() => ggufChatTemplate(header.metadata, path)),
    hash: once(() => hashCheckpoint([parsed.raw, parsed.config], located.map(({ name, tensor }) => ({ ...asStored(tensor), name })))),
  };
}

async function converted(file: string, parsed: GgufConfig, located: readonly LocatedTensor[], name: string, { cacheFolder: root = cacheFolder(), onProgress, signal }: ConvertOptions): Promise<ReadonlyMap<string, StoredTensor>> {
  const identity = await filesIdentity(parsed.raw, located.map(({ tensor }) => asStored(tensor)));
  const id = createHash("sha256").update(`${CONVERTER_VERSION}\n${identity}`).digest("hex").slice(0, 16);
  const label = basename(file, ".gguf").replace(/[^A-Za-z0-9._-]/g, "_").slice(0, 60);
  const folder = await cached(`gguf-${label}-${id}`, (temporary) => convertGguf(temporary, located, name, (done, total) => {
    signal?.throwIfAborted();
    onProgress?.(done, total);
  }), { folder: root });
  const tensors = new Map(joinQuantised(parsed.config, (await readWeights(folder)).tensors));
  for (const { name, tensor: { type } } of located) {
    const held = tensors.get(name);
    if (held?.quantization) tensors.set(name, { ...held, quantization: { ...held.quantization, fileBits: bitsInFile(type) } });
  }
  return tensors;
}

/** What an element takes in the file. */
const bitsInFile = (type: GgmlType): number => (8 * ggmlTypes[type].bytes) / ggmlTypes[type].block;

const dtypeNames: Readonly<Partial<Record<GgmlType, string>>> = { F32: "fp32", F16: "fp16", BF16: "bf16" };

/** What most of the weights' bytes are: `q4_0`. */
function mostly(located: readonly LocatedTensor[]): string {
  const bytes = new Map<GgmlType, number>();
  for (const { tensor: { type, length } } of located) bytes.set(type, (bytes.get(type) ?? 0) + length);
  const [most] = [...bytes].reduce((a, b) => (b[1] > a[1] ? b : a));
  return dtypeNames[most] ?? most.toLowerCase();
}
