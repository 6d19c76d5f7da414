// Quantised checkpoints as their methods write them -> weights in blocks, or 8-bit floats with their scales. Blocks are made once, element for element
// the same level, zero point and scale, and kept in the cache folder; all else stays where it is.
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { cached, cacheFolder } from "../cache.js";
import { orderName, scalesName, zeroPointsName } from "../encode.js";
import { requireFreeSpace } from "../free-space.js";
import { filesIdentity } from "../hash.js";
import { blocksOf, quantBytes, requireFiniteScales, zeroPointBytes } from "../quantize.js";
import { tensorBytes, type TensorToWrite } from "../safetensors.js";
import { writeShards } from "../shards.js";
import type { StoredTensor } from "../types.js";
import { readWeights } from "../weights.js";
import { awqWeights } from "./awq.js";
import { compressedWeights } from "./compressed.js";
import { fp8Weights } from "./fp8.js";
import { gptqWeights } from "./gptq.js";
import { mxfp4Weights } from "./mxfp4.js";
import type { Method } from "./method.js";
import type { PackedRows, PackedWeight } from "./weight.js";

export interface PackedOptions {
  /** Another cache folder than the usual one. */
  readonly cacheFolder?: string;
  /** Called as weights are put into blocks, with elements done and in all. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Stops; nothing is left. */
  readonly signal?: AbortSignal;
}

/** What a quantised checkpoint's weights are, by their own names, and what they are held in. */
export interface Unpacked {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** `int4 (gptq)` and the like; null: as the tensors say. */
  readonly dtype: string | null;
}

/** Counted up when the same files would give other blocks, so that old cache entries are not used. */
const VERSION = 1;

/** Scales of activations and of caches: weights alone are read, what is computed with them is this program's own choice. */
const unread = /\.(input|output|q|k|v)_(scale|zero_point|global_scale)$|\.input_scale_ub$|_(q|k|v)_scale$/;

/** @param folder named in errors and in the cache @throws on parts that are missing or do not fit, by tensor or setting */
export async function unpack(method: Method, stored: ReadonlyMap<string, StoredTensor>, folder: string, options: PackedOptions = {}): Promise<Unpacked> {
  const tensors = new Map([...stored].filter(([name]) => !unread.test(name)));
  let scaled = false;
  if (method.kind === "fp8" || method.kind === "compressed") {
    const { joined, used } = fp8Weights(tensors, method.settings);
    for (const [name, tensor] of joined) tensors.set(name, tensor);
    for (const name of used) tensors.delete(name);
    scaled = joined.size > 0;
  }
  const weights = method.kind === "gptq" ? await gptqWeights(tensors, method.settings)
    : method.kind === "awq" ? awqWeights(tensors, method.settings)
    : method.kind === "mxfp4" ? mxfp4Weights(tensors)
    : method.kind === "compressed" ? await compressedWeights(tensors, method.settings) : [];
  if (weights.length === 0) return { tensors, dtype: scaled ? "fp8" : null };
  const blocks = await inBlocks(weights, folder, method, options);
  for (const weight of weights) {
    for (const { name } of weight.parts) tensors.delete(name);
    tensors.set(weight.name, joined(weight, blocks));
  }
  const bits = Math.min(...weights.map((weight) => weight.bits));
  return { tensors, dtype: `int${bits} (${method.kind === "compressed" ? "compressed-tensors" : method.kind})` };
}

async function inBlocks(weights: readonly PackedWeight[], folder: string, method: Method, { cacheFolder: root = cacheFolder(), onProgress, signal }: PackedOptions): Promise<ReadonlyMap<string, StoredTensor>> {
  const files = await filesIdentity({ ...method.settings, where: "" }, weights.flatMap(({ parts }) => parts));
  const id = createHash("sha256").update(`${VERSION}\n${method.kind}\n${files}`).digest("hex").slice(0, 16);
  const label = basename(folder).replace(/[^A-Za-z0-9._-]/g, "_").slice(0, 60);
  const made = await cached(`weights-${label}-${method.kind}-${id}`, async (temporary) => {
    const total = weights.reduce((sum, { shape: [out, inputs] }) => sum + out * inputs, 0);
    let done = 0;
    const tensors = weights.flatMap((weight) => toWrite(weight, () => {
      signal?.throwIfAborted();
      onProgress?.((done += weight.shape[0] * weight.shape[1]), total);
    }));
    await requireFreeSpace(temporary, tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0), `${folder} in blocks`);
    await writeShards(temporary, tensors, { format: "pt" });
  }, { folder: root });
  return (await readWeights(made)).tensors;
}

/** The parts of a weight in blocks. They are written one after the other: the first is asked for first, and the last one forgets them. */
function toWrite(weight: PackedWeight, onDone: () => void): TensorToWrite[] {
  const { name, shape: [out, inputs], bits, blockSize, zeroPoints, ordered } = weight;
  const blocks = blocksOf(inputs, blockSize);
  let rows: PackedRows | null = null;
  const parts: TensorToWrite[] = [
    { name, dtype: "U8", shape: [out, blocks, quantBytes(inputs, bits, blockSize) / blocks], data: async () => {
      rows = await weight.read();
      requireFiniteScales(name, rows, blocks);
      return rows.quants;
    } },
    { name: scalesName(name), dtype: "F32", shape: [out, blocks], data: () => rows!.scales },
  ];
  if (zeroPoints) parts.push({ name: zeroPointsName(name), dtype: "U8", shape: [out, zeroPointBytes(inputs, bits, blockSize)], data: () => rows!.zeroPoints! });
  if (ordered) parts.push({ name: orderName(name), dtype: "I64", shape: [inputs], data: () => BigInt64Array.from(rows!.order!, BigInt) });
  const last = parts.at(-1)!;
  const data = last.data as () => ArrayBufferView;
  parts[parts.length - 1] = { ...last, data: () => {
    const values = data();
    rows = null;
    onDone();
    return values;
  } };
  return parts;
}

function joined({ name, shape, bits, blockSize, fileBits }: PackedWeight, blocks: ReadonlyMap<string, StoredTensor>): StoredTensor {
  const quants = blocks.get(name)!;
  const part = (own: string) => blocks.get(own) ?? null;
  return { ...quants, shape, quantization: { bits, blockSize, scales: part(scalesName(name))!, zeroPoints: part(zeroPointsName(name)), offsets: null, order: part(orderName(name)), ...(fileBits !== undefined && { fileBits }) } };
}
