// Seeded random weights at a real shape: for latency only, since what such a model says means nothing.
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { cached, cacheFolder } from "./cache.js";
import { parseConfig } from "./config.js";
import { requireFreeSpace } from "./free-space.js";
import { encodeBfloat16, encodeFloat16 } from "./half.js";
import { canonicalJson, readJsonObject } from "./json.js";
import { normalTable, QuantileStream } from "./normal.js";
import { requiredTensors } from "./required.js";
import { tensorBytes, writeSafetensors, type TensorToWrite } from "./safetensors.js";
import { syntheticShapes } from "./synthetic-shapes.js";
import type { StoredDtype } from "./types.js";
import { indexFile, weightsFile } from "./weights.js";

export type SyntheticDtype = "fp32" | "fp16" | "bf16";

export interface SyntheticOptions {
  /** What the weights are made and stored as; default bf16. */
  readonly dtype?: SyntheticDtype;
  /** Default 0. */
  readonly seed?: number;
  /** Another cache folder than the usual one. */
  readonly cacheFolder?: string;
  /** Called as weights are written, with bytes done and in all. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Largest size of a file in bytes; default 4 GB. Does not change the values. */
  readonly shardBytes?: number;
}

const prefix = "synthetic:";
const storedDtypes: Readonly<Record<SyntheticDtype, StoredDtype>> = { fp32: "F32", fp16: "F16", bf16: "BF16" };
/** The key in a file's `__metadata__` that marks weights as synthetic. */
const marker = "sdtp_synthetic";
/** Counted up when the same options give other values, so that old cache entries are not used. */
const generatorVersion = 1;
/** Values made and written at a time; even, as the stream wants it. */
const chunkElements = 2 ** 21;

export function isSyntheticName(name: string): boolean {
  return name.startsWith(prefix);
}

export function isSyntheticMetadata(metadata: Readonly<Record<string, string>>): boolean {
  return marker in metadata;
}

/**
 * Makes the model folder of a synthetic name in the cache folder, or finds it there.
 * @param name `synthetic:qwen2-7b` and the like, or `synthetic:/path/to/config.json`
 * @returns absolute path of the folder
 * @throws on an unknown name, a config.json that the decoder cannot build, or too little free space
 */
export async function makeSynthetic(name: string, options: SyntheticOptions = {}): Promise<string> {
  const shape = name.slice(prefix.length);
  if (Object.hasOwn(syntheticShapes, shape)) return synthesize(syntheticShapes[shape]!, shape, options);
  if (!/[/\\]|\.json$/.test(shape)) {
    throw new Error(`synthetic model: ${shape || "(no name)"} (must be ${Object.keys(syntheticShapes).join(", ")} or the path of a config.json)`);
  }
  return synthesize(await readJsonObject(resolve(shape)), basename(shape, ".json"), options, resolve(shape));
}

/**
 * As `makeSynthetic`, from the fields of a config.json. Matrices are normal with standard deviation
 * `initializer_range` (0.02 where absent), biases a tenth of that, norms 1. A value depends on seed and tensor name only:
 * fp16 and bf16 weights are the fp32 ones rounded.
 * @param label part of the cache entry's name
 * @param file named in errors
 */
export async function synthesize(
  raw: Readonly<Record<string, unknown>>,
  label: string,
  { dtype = "bf16", seed = 0, cacheFolder: root = cacheFolder(), onProgress, shardBytes = 4e9 }: SyntheticOptions = {},
  file = `synthetic model ${label}`,
): Promise<string> {
  if (!Object.hasOwn(storedDtypes, dtype)) throw new Error(`dtype: ${dtype} (synthetic weights are made in ${Object.keys(storedDtypes).join(", ")})`);
  if (!Number.isSafeInteger(seed)) throw new Error(`seed: ${seed} (must be an integer)`);
  const config = { ...raw, torch_dtype: { fp32: "float32", fp16: "float16", bf16: "bfloat16" }[dtype] };
  const tensors = syntheticTensors(raw, dtype, seed, file);
  const id = createHash("sha256").update(canonicalJson([generatorVersion, config, seed, shardBytes])).digest("hex").slice(0, 12);
  const key = `synthetic-${label.replace(/[^A-Za-z0-9._-]/g, "_")}-${dtype}-seed${seed}-${id}`;
  return cached(key, async (folder) => {
    const total = tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
    await requireFreeSpace(folder, total, `synthetic model ${label} in ${dtype}`);
    let done = 0;
    const counted = tensors.map((tensor) => ({ ...tensor, data: () => counting(tensor.data(), (bytes) => onProgress?.((done += bytes), total)) }));
    await writeShards(folder, counted, shardBytes, { format: "pt", [marker]: canonicalJson({ model: label, dtype, seed, generatorVersion }) });
    await writeFile(join(folder, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
  }, { folder: root });
}

interface StreamedTensor extends TensorToWrite {
  readonly data: () => Iterable<Float32Array | Uint16Array>;
}

function syntheticTensors(raw: Readonly<Record<string, unknown>>, dtype: SyntheticDtype, seed: number, file: string): StreamedTensor[] {
  const config = parseConfig(raw, file);
  const std = raw.initializer_range ?? 0.02;
  if (typeof std !== "number" || !(std > 0)) throw new Error(`${file}: initializer_range: ${JSON.stringify(std)} (must be a number > 0)`);
  const weights = stored(normalTable(std), dtype);
  const biases = stored(normalTable(std / 10), dtype);
  const ones = stored(new Float32Array(65536).fill(1), dtype);
  return requiredTensors(config).map(({ name, shape }) => {
    const table = name.endsWith(".bias") ? biases : name.endsWith("norm.weight") ? ones : weights;
    const count = shape.reduce((product, size) => product * size, 1);
    return { name, shape, dtype: storedDtypes[dtype], data: () => values(table, new QuantileStream(seed, name), count) };
  });
}

function stored(table: Float32Array, dtype: SyntheticDtype): Float32Array | Uint16Array {
  return dtype === "fp32" ? table : dtype === "fp16" ? encodeFloat16(table) : encodeBfloat16(table);
}

function* values(table: Float32Array | Uint16Array, stream: QuantileStream, count: number): Generator<Float32Array | Uint16Array> {
  const buffer = table instanceof Float32Array ? new Float32Array(Math.min(count, chunkElements)) : new Uint16Array(Math.min(count, chunkElements));
  for (let done = 0; done < count; done += chunkElements) {
    yield stream.fill(buffer.subarray(0, Math.min(chunkElements, count - done)), table);
  }
}

function* counting<T extends ArrayBufferView>(chunks: Iterable<T>, add: (bytes: number) => void): Generator<T> {
  for (const chunk of chunks) {
    yield chunk;
    add(chunk.byteLength);
  }
}

/** One file, or several with an index when there are more than `shardBytes`, as the hub's checkpoints are cut. */
async function writeShards(folder: string, tensors: readonly TensorToWrite[], shardBytes: number, metadata: Record<string, string>): Promise<void> {
  const shards: TensorToWrite[][] = [[]];
  let filled = 0;
  let total = 0;
  for (const tensor of tensors) {
    const bytes = tensorBytes(tensor);
    if (filled > 0 && filled + bytes > shardBytes) {
      shards.push([]);
      filled = 0;
    }
    shards.at(-1)!.push(tensor);
    filled += bytes;
    total += bytes;
  }
  if (shards.length === 1) return writeSafetensors(join(folder, weightsFile), tensors, metadata);
  const digits = (n: number) => String(n).padStart(5, "0");
  const map: Record<string, string> = {};
  for (const [i, shard] of shards.entries()) {
    const file = `model-${digits(i + 1)}-of-${digits(shards.length)}.safetensors`;
    await writeSafetensors(join(folder, file), shard, metadata);
    for (const { name } of shard) map[name] = file;
  }
  await writeFile(join(folder, indexFile), `${JSON.stringify({ metadata: { total_size: total }, weight_map: map }, null, 2)}\n`);
}
