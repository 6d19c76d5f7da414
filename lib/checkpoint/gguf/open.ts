import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { cached, cacheFolder } from "../cache.js";
import { COMPACT_VERSION, compactHash, compactName, readLoss, writeLoss } from "../compact.js";
import type { ConvertOptions } from "../convert.js";
import { filesIdentity, hashCheckpoint } from "../hash.js";
import { Losses, losslessBytes, nearForms } from "../near.js";
import { once } from "../once.js";
import { joinQuantised } from "../quantised.js";
import { tensorBytes } from "../safetensors.js";
import { loadTokenizer } from "../tokenizer.js";
import type { Checkpoint, HeldNear, StoredTensor } from "../types.js";
import { checkTensors, readWeights } from "../weights.js";
import { ggufChatTemplate } from "./chat-template.js";
import { ggufConfig, type GgufConfig } from "./config.js";
import { describedConfig } from "./described.js";
import { bitsInFile, convertGguf, losslessBlocks } from "./convert.js";
import { readGguf } from "./split.js";
import { asStored, inPlace, locateTensors, type LocatedTensor } from "./tensors.js";
import { ggufTokenizer, ggufTokenizerJson } from "./tokenizer.js";
import { isPlain, type GgmlType } from "./types.js";

/** Counted up when the same file would be converted to other bytes, so that old cache entries are not used. */
const CONVERTER_VERSION = 2;

export interface GgufOptions extends ConvertOptions {
  /** Weights whose lossless blocks take much more than the file get the nearest form that does not; else nothing is lost. */
  readonly near: boolean;
}

/**
 * Opens a GGUF file, or a model of several parts by any of them. F32, F16 and BF16 weights are used where they are; where there are
 * quantised ones, all are converted once into the cache folder.
 * @param name as it is to appear in results
 * @throws an error that names the file and what in it is not supported
 */
export async function openGguf(path: string, name: string, { near, ...options }: GgufOptions): Promise<Checkpoint> {
  // A part may be a link into a store of files under other names, as in the hub's cache: the others are beside the link.
  const header = await readGguf(path);
  const file = await realpath(path);
  const parsed = await ggufConfig(header, path);
  const located = await Promise.all(locateTensors(parsed, header, path).map(async (each) => ({ ...each, tensor: { ...each.tensor, file: await realpath(each.tensor.file) } })));
  const quantised = located.some(({ tensor }) => !isPlain(tensor.type));
  const weights = quantised ? await converted(file, parsed, located, name, near, options) : { tensors: new Map(located.map((each) => [each.name, inPlace(each)])) };
  checkTensors(parsed.config, weights.tensors, path);
  const folder = dirname(path);
  const own = once(async () => ggufTokenizer(header.metadata, path));
  const dtype = mostly(located);
  const hash = once(() => hashCheckpoint([parsed.raw, parsed.config], located.map(({ name, tensor }) => ({ ...asStored(tensor), name }))));
  return {
    name,
    folder,
    config: parsed.config,
    dtype,
    ...weights,
    synthetic: false,
    described: { config: () => describedConfig(parsed, path), tokenizer: () => ggufTokenizerJson(header.metadata, path) },
    tokenizer: () => (existsSync(join(folder, "tokenizer.json")) ? loadTokenizer(folder) : own()),
    chatTemplate: once(() => ggufChatTemplate(header.metadata, path)),
    hash,
    ...(weights.near && { dtype: compactName(dtype), original: { dtype, hash, tensors: null }, hash: once(async () => compactHash(await hash())) }),
  };
}

async function converted(file: string, parsed: GgufConfig, located: readonly LocatedTensor[], name: string, near: boolean, { cacheFolder: root = cacheFolder(), onProgress, signal }: ConvertOptions): Promise<{ tensors: ReadonlyMap<string, StoredTensor>; near?: HeldNear }> {
  const blocks = located.map(losslessBlocks).filter((weight) => weight !== null);
  const forms = nearForms(near ? blocks : []);
  const compact = forms.size > 0;
  const identity = await filesIdentity(parsed.raw, located.map(({ tensor }) => asStored(tensor)));
  const id = createHash("sha256").update(`${CONVERTER_VERSION}\n${compact ? `compact ${COMPACT_VERSION}\n` : ""}${identity}`).digest("hex").slice(0, 16);
  const label = basename(file, ".gguf").replace(/[^A-Za-z0-9._-]/g, "_").slice(0, 60);
  const folder = await cached(`gguf-${label}-${compact ? "compact-" : ""}${id}`, async (temporary) => {
    const losses = new Losses();
    const counted = new Map(located.flatMap(({ name, tensor: { type } }) => (forms.has(name) ? [[name, losses.counted(type.toLowerCase(), forms.get(name)!)] as const] : [])));
    await convertGguf(temporary, located, name, counted, (done, total) => {
      signal?.throwIfAborted();
      onProgress?.(done, total);
    });
    if (compact) await writeLoss(temporary, losses.summary(losslessBytes(blocks) + plainBytes(located)));
  }, { folder: root });
  const tensors = new Map(joinQuantised(parsed.config, (await readWeights(folder)).tensors));
  for (const { name, tensor: { type } } of located) {
    const held = tensors.get(name);
    if (held?.quantization) tensors.set(name, { ...held, quantization: { ...held.quantization, fileBits: bitsInFile(type) } });
  }
  return { tensors, ...(compact && { near: await readLoss(folder) }) };
}

/** What weights take that are no matrices in blocks. */
const plainBytes = (located: readonly LocatedTensor[]): number =>
  located.filter((each) => losslessBlocks(each) === null).reduce((sum, each) => sum + (isPlain(each.tensor.type) ? tensorBytes(inPlace(each)) : 4 * each.shape[0]!), 0);

const dtypeNames: Readonly<Partial<Record<GgmlType, string>>> = { F32: "fp32", F16: "fp16", BF16: "bf16" };

/** What most of the weights' bytes are: `q4_0`. */
function mostly(located: readonly LocatedTensor[]): string {
  const bytes = new Map<GgmlType, number>();
  for (const { tensor: { type, length } } of located) bytes.set(type, (bytes.get(type) ?? 0) + length);
  const [most] = [...bytes].reduce((a, b) => (b[1] > a[1] ? b : a));
  return dtypeNames[most] ?? most.toLowerCase();
}
