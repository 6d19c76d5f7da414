import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { cached, cacheFolder } from "../cache.js";
import { chatTemplate } from "../chat-template.js";
import type { ConvertOptions } from "../convert.js";
import { filesIdentity, hashCheckpoint } from "../hash.js";
import { once } from "../once.js";
import { joinQuantised } from "../quantised.js";
import { requiredTensors } from "../required.js";
import { loadTokenizer } from "../tokenizer.js";
import type { Checkpoint, StoredTensor } from "../types.js";
import { viewed } from "../view.js";
import { checkTensors, readWeights } from "../weights.js";
import { ggufConfig, type GgufConfig } from "./config.js";
import { asStored, convertGguf } from "./convert.js";
import { ggmlTypes, readGgufHeader, type GgufHeader, type GgufTensor } from "./header.js";
import { ggufName, interleavedHeads } from "./names.js";
import { ggufTokenizer } from "./tokenizer.js";

const CONVERTER_VERSION = 1;

/**
 * Opens a GGUF file of the llama, qwen2 or qwen3 architecture. F32, F16 and BF16 weights are used where they are; a file with
 * quantised ones (Q4_0, Q8_0, Q6_K) is converted once into the cache folder.
 * @param name as it is to appear in results
 * @throws an error that names the file and what in it is not supported
 */
export async function openGguf(path: string, name: string, options: ConvertOptions = {}): Promise<Checkpoint> {
  const file = await realpath(path);
  const header = await readGgufHeader(file);
  const parsed = await ggufConfig(header, file);
  const find = (tensor: string): GgufTensor => {
    const found = header.tensors.get(tensor);
    if (!found) throw new Error(`tensor ${tensor}: missing in ${file}`);
    return found;
  };
  const types = requiredTensors(parsed.config).map(({ name }) => find(ggufName(name)));
  const quantised = types.some(({ type }) => ggmlTypes[type].block > 1);
  const tensors = quantised ? await converted(file, parsed, find, name, options) : inPlace(parsed, find);
  checkTensors(parsed.config, tensors, file);
  const folder = dirname(file);
  const own = once(async () => ggufTokenizer(header.metadata, file));
  return {
    name,
    folder,
    config: parsed.config,
    dtype: mostly(types),
    tensors,
    synthetic: false,
    tokenizer: () => (existsSync(join(folder, "tokenizer.json")) ? loadTokenizer(folder) : own()),
    chatTemplate: once(() => template(header, file)),
    hash: once(() => hashCheckpoint([parsed.raw, parsed.config], tensors.values())),
  };
}

/** The file's own bytes; llama's interleaved queries and keys as views. */
function inPlace({ architecture, config }: GgufConfig, find: (name: string) => GgufTensor): ReadonlyMap<string, StoredTensor> {
  return new Map(requiredTensors(config).map(({ name, shape }) => {
    const stored = { ...asStored(find(ggufName(name))), name };
    const heads = interleavedHeads(name, architecture, config);
    if (heads === null || stored.shape.join() !== shape.join()) return [name, stored];
    const view = { stored: [heads, config.headDim / 2, 2, ...shape.slice(1)], perm: [0, 2, 1, ...shape.slice(1).map((_, i) => 3 + i)] };
    return [name, viewed(stored, view, shape)];
  }));
}

async function converted(file: string, parsed: GgufConfig, find: (name: string) => GgufTensor, name: string, { cacheFolder: root = cacheFolder(), onProgress, signal }: ConvertOptions): Promise<ReadonlyMap<string, StoredTensor>> {
  const identity = await filesIdentity(parsed.raw, [asStored(find("token_embd.weight"))]);
  const id = createHash("sha256").update(`${CONVERTER_VERSION}\n${identity}`).digest("hex").slice(0, 16);
  const label = basename(file, ".gguf").replace(/[^A-Za-z0-9._-]/g, "_").slice(0, 60);
  const folder = await cached(`gguf-${label}-${id}`, (temporary) => convertGguf(temporary, parsed, find, name, (done, total) => {
    signal?.throwIfAborted();
    onProgress?.(done, total);
  }), { folder: root });
  return joinQuantised(parsed.config, (await readWeights(folder)).tensors);
}

/** What most of the weights' bytes are: `q4_0`. */
function mostly(tensors: readonly GgufTensor[]): string {
  const bytes = new Map<string, number>();
  for (const { type, length } of tensors) bytes.set(type, (bytes.get(type) ?? 0) + length);
  const [most] = [...bytes].reduce((a, b) => (b[1] > a[1] ? b : a));
  return ({ F32: "fp32", F16: "fp16", BF16: "bf16" } as Record<string, string>)[most] ?? most.toLowerCase();
}

function template({ metadata }: GgufHeader, file: string) {
  const tokens = metadata["tokenizer.ggml.tokens"] as string[] | undefined;
  const token = (name: string) => tokens?.[Number(metadata[`tokenizer.ggml.${name}_token_id`] ?? -1)] ?? "";
  const source = metadata["tokenizer.chat_template"];
  return chatTemplate(typeof source === "string" ? source : undefined, file, { bos_token: token("bos"), eos_token: token("eos"), pad_token: token("padding"), unk_token: token("unknown") });
}
