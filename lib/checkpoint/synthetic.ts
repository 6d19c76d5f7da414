// Seeded random weights at a real shape: for latency only, since what such a model says means nothing.
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { cached, cacheFolder } from "./cache.js";
import { parseConfig } from "./config.js";
import { elementCount } from "./dtype.js";
import { encodedElements, encodeTensors, formatVersion, sourceName, tensorsToHold } from "./encode.js";
import { requireFreeSpace } from "./free-space.js";
import { encodeBfloat16 } from "./half.js";
import { canonicalJson, readJsonObject } from "./json.js";
import { normalTable, QuantileStream } from "./normal.js";
import { requiredTensors, type RequiredTensor } from "./required.js";
import { tensorBytes, type TensorToWrite } from "./safetensors.js";
import { SHARD_BYTES, writeShards } from "./shards.js";
import { syntheticMarker, syntheticPrefix } from "./synthetic-name.js";
import { syntheticShapes } from "./synthetic-shapes.js";
import type { ModelConfig } from "./types.js";
import { formatName, parseWeightFormat, type WeightFormat } from "./weight-dtype.js";

export interface SyntheticOptions {
  /** What the weights are made and stored as: bf16 (default), or as `parseWeightFormat` reads it. */
  readonly dtype?: string;
  /** Default 0. */
  readonly seed?: number;
  /** Another cache folder than the usual one. */
  readonly cacheFolder?: string;
  /** Called as weights are written, with elements done and in all. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Stops; nothing is left. */
  readonly signal?: AbortSignal;
  /** Largest size of a file in bytes; default 4 GB. Does not change the values. */
  readonly shardBytes?: number;
}

const torchDtypes: Readonly<Record<string, string>> = { fp32: "float32", fp16: "float16", bf16: "bfloat16" };
/** Counted up when the same options give other values, so that old cache entries are not used. */
const generatorVersion = 1;
/** Values made and written at a time; even, as the stream wants it. */
const chunkElements = 2 ** 21;

/**
 * Makes the model folder of a synthetic name in the cache folder, or finds it there.
 * @param name `synthetic:qwen2-7b` and the like, or `synthetic:/path/to/config.json`
 * @returns absolute path of the folder
 * @throws on an unknown name, a config.json that the decoder cannot build, or too little free space
 */
export async function makeSynthetic(name: string, options: SyntheticOptions = {}): Promise<string> {
  const shape = name.slice(syntheticPrefix.length);
  if (Object.hasOwn(syntheticShapes, shape)) return synthesize(syntheticShapes[shape]!, shape, options);
  if (!/[/\\]|\.json$/.test(shape)) {
    throw new Error(`synthetic model: ${shape || "(no name)"} (must be ${Object.keys(syntheticShapes).join(", ")} or the path of a config.json)`);
  }
  return synthesize(await readJsonObject(resolve(shape)), basename(shape, ".json"), options, resolve(shape));
}

/**
 * As `makeSynthetic`, from the fields of a config.json. Matrices are normal with standard deviation
 * `initializer_range` (0.02 where absent), biases a tenth of that, norms 1. A value depends on seed and tensor name only:
 * weights in other dtypes are the fp32 ones rounded or quantised.
 * @param label part of the cache entry's name
 * @param file named in errors
 */
export async function synthesize(
  raw: Readonly<Record<string, unknown>>,
  label: string,
  { dtype = "bf16", seed = 0, cacheFolder: root = cacheFolder(), onProgress, signal, shardBytes = SHARD_BYTES }: SyntheticOptions = {},
  file = `synthetic model ${label}`,
): Promise<string> {
  const asked = dtype === "bf16" ? null : parseWeightFormat(dtype);
  const name = asked ? formatName(asked) : dtype;
  // Random weights have no inputs that are worth anything.
  const format = asked && { ...asked, rounding: "nearest" as const };
  if (!Number.isSafeInteger(seed)) throw new Error(`seed: ${seed} (must be an integer)`);
  const config = { ...raw, torch_dtype: torchDtypes[name] ?? "float32" };
  const shapes = parseConfig(raw, file);
  const required = format ? tensorsToHold(shapes, format) : requiredTensors(shapes);
  let done = 0;
  const total = encodedElements(required);
  const tensors = syntheticTensors(raw, shapes, required, format, seed, file, (elements) => {
    signal?.throwIfAborted();
    onProgress?.((done += elements), total);
  });
  const id = createHash("sha256").update(canonicalJson([generatorVersion, config, seed, shardBytes, ...(format && !torchDtypes[name] ? [name, ...(formatVersion(format) > 1 ? [formatVersion(format)] : [])] : [])])).digest("hex").slice(0, 12);
  const key = `synthetic-${safe(label)}-${safe(name)}-seed${seed}-${id}`;
  return cached(key, async (folder) => {
    await requireFreeSpace(folder, tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0), `synthetic model ${label} in ${name}`);
    await writeShards(folder, tensors, { format: "pt", [syntheticMarker]: canonicalJson({ model: label, dtype: name, seed, generatorVersion }), sdtp_weights: name }, shardBytes);
    await writeFile(join(folder, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
  }, { folder: root });
}

const safe = (text: string): string => text.replace(/[^A-Za-z0-9._-]/g, "_");

/** @param format null: bf16 @param onValues called with the number of elements that were made */
function syntheticTensors(
  raw: Readonly<Record<string, unknown>>,
  { tiedEmbeddings, normOffset }: ModelConfig,
  required: readonly RequiredTensor[],
  format: WeightFormat | null,
  seed: number,
  file: string,
  onValues: (elements: number) => void,
): TensorToWrite[] {
  const std = raw.initializer_range ?? 0.02;
  if (typeof std !== "number" || !(std > 0)) throw new Error(`${file}: initializer_range: ${JSON.stringify(std)} (must be a number > 0)`);
  const [weights, biases, ones] = [normalTable(std), normalTable(std / 10), new Float32Array(65536).fill(1 - normOffset)];
  const tableOf = (name: string) => (name.endsWith(".bias") ? biases : /norm(\.\d+)?\.weight$/.test(name) ? ones : weights);
  if (format === null) {
    const rounded = new Map([weights, biases, ones].map((table) => [table, encodeBfloat16(table)]));
    return required.map(({ name, shape }) => ({
      name, shape, dtype: "BF16", data: () => values(rounded.get(tableOf(name))!, new QuantileStream(seed, name), elementCount(shape), chunkElements, onValues),
    }));
  }
  return encodeTensors(required, format, ({ name, shape }, elements) => values(tableOf(name), new QuantileStream(seed, sourceName(name, tiedEmbeddings)), elementCount(shape), elements, onValues));
}

/** `count` table entries in pieces of `size`, which is even. */
function* values<T extends Float32Array | Uint16Array>(table: T, stream: QuantileStream, count: number, size: number, onValues: (elements: number) => void): Generator<T> {
  const buffer = table instanceof Float32Array ? new Float32Array(Math.min(count, size)) : new Uint16Array(Math.min(count, size));
  for (let done = 0; done < count; done += size) {
    const piece = stream.fill(buffer.subarray(0, Math.min(size, count - done)) as T, table);
    yield piece;
    onValues(piece.length);
  }
}
