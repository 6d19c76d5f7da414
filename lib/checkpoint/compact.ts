// Weights that are held in about their size in the model's files, some of them in the nearest form that is: by default of GGUF files, by asking of safetensors.
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { cached, cacheFolder } from "./cache.js";
import type { ConvertOptions } from "./convert.js";
import { elementCount } from "./dtype.js";
import { inBlocks, scalesName, zeroPointsName, type BlockForm } from "./encode.js";
import { formatBytes, requireFreeSpace } from "./free-space.js";
import { filesIdentity } from "./hash.js";
import { Losses, losslessBytes, nearForms, type LosslessBlocks } from "./near.js";
import { tensorBytes } from "./safetensors.js";
import { writeShards } from "./shards.js";
import { heldBytes, totalBytes } from "./sizes.js";
import type { Checkpoint, HeldNear, StoredTensor } from "./types.js";
import { weightValues } from "./values.js";
import { readWeights } from "./weights.js";

/** Counted up when the same weights would be held otherwise, so that old cache entries are not used. */
export const COMPACT_VERSION = 2;

/** `compact (q6_k)`: what such weights are in the files, and that some are held in the nearest form. */
export const compactName = (dtype: string): string => `compact (${/\((.*)\)$/.exec(dtype)?.[1] ?? dtype})`;

/** Whether a dtype asks for it: `compact`, or the name of what is held so. */
export const isCompact = (dtype: string): boolean => /^compact( \(.*\))?$/.test(dtype);

/** The hash of a checkpoint that is held so. */
export const compactHash = (lossless: string): string => createHash("sha256").update(`${lossless} ${COMPACT_VERSION} compact`).digest("hex");

/** A weight whose lossless blocks take more than its file; null: of all others. */
function lossless({ name, shape, quantization }: StoredTensor): LosslessBlocks | null {
  if (quantization?.fileBits === undefined || quantization.order) return null;
  const { bits, blockSize, offsets, fileBits } = quantization;
  return { name, rows: shape[0]!, columns: shape[1]!, bits, blockSize, offsets: offsets !== null, fileBits };
}

const allLossless = (tensors: Checkpoint["tensors"]): LosslessBlocks[] => [...tensors.values()].map(lossless).filter((weight) => weight !== null);

/** The form nearest to a weight's size in the file; null: it is held near that already. */
export function compactForm(stored: StoredTensor): BlockForm | null {
  const weight = lossless(stored);
  return weight && (nearForms([weight]).get(stored.name) ?? null);
}

/** Whether there are weights that `compact` would hold otherwise. */
export const isCompactable = ({ tensors, near }: Pick<Checkpoint, "tensors" | "near">): boolean => !near && nearForms(allLossless(tensors)).size > 0;

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.001 ? 3 : share < 0.1 ? 2 : 1)} %`;

/** What is worth knowing of how a checkpoint is held: what was lost to hold it in about its files' size, or that it takes much more; null: nothing. */
export function sizeNote({ name, dtype, tensors, near, config }: Checkpoint): string | null {
  const { held, file } = totalBytes(tensors);
  if (near) {
    const matrices = [...tensors.values()].filter(({ shape }) => shape.length === 2).reduce((sum, { shape }) => sum + elementCount(shape), 0);
    const kinds = near.kinds.map(({ kind, bits, blockSize, elements, error }) => `${kind} (${percent(elements / matrices)} of the weights) in ${bits} bits, blocks of ${blockSize}, ${percent(error)} from the file's values`);
    return `weights of ${name}: held near their size in the file (${formatBytes(file)}) in ${formatBytes(held)}, not without loss: ${kinds.join("; ")} (root mean square); dtype stored loses nothing, in ${formatBytes(near.losslessBytes)}${config.experts ? ", dtype int8 is between the two" : ""}`;
  }
  if (!isCompactable({ tensors })) return null;
  return `weights of ${name}: ${dtype}, held without loss in ${formatBytes(Math.round(held))}, ${formatBytes(file)} in the file (dtype compact: about as small as there, with the error that sdtp dtypes --dtype stored,compact shows)`;
}

/** What was lost, beside the weights that it was lost of. */
const lossFile = (folder: string): string => join(folder, "near.json");
export const writeLoss = (folder: string, near: HeldNear): Promise<void> => writeFile(lossFile(folder), `${JSON.stringify(near)}\n`);
export const readLoss = async (folder: string): Promise<HeldNear> => JSON.parse(await readFile(lossFile(folder), "utf8")) as HeldNear;

/**
 * A checkpoint with those weights that are held in much more than the file has for them in the nearest smaller blocks, made once into the cache folder;
 * all others stay what they are. `near` says how near that is.
 * @throws where no weight is held in much more, or too little space is free
 */
export async function compactCheckpoint(checkpoint: Checkpoint, { cacheFolder: root = cacheFolder(), onProgress, signal }: ConvertOptions = {}): Promise<Checkpoint> {
  const weights = allLossless(checkpoint.tensors);
  const forms = nearForms(weights);
  const changed = [...forms].map(([name, form]) => ({ stored: checkpoint.tensors.get(name)!, form }));
  if (changed.length === 0) throw new Error(`dtype: compact (${checkpoint.name} is held in ${checkpoint.dtype}, about as small as in its files: take int8 or int4 for less, or no dtype)`);
  const identity = await filesIdentity(checkpoint.config, changed.map(({ stored }) => stored));
  const id = createHash("sha256").update(`${COMPACT_VERSION}\ncompact\n${identity}`).digest("hex").slice(0, 16);
  const label = basename(checkpoint.name, ".gguf").replace(/[^A-Za-z0-9._-]/g, "_").slice(0, 60);
  const dtype = compactName(checkpoint.dtype);
  const folder = await cached(`weights-${label}-compact-${id}`, async (temporary) => {
    const total = changed.reduce((sum, { stored }) => sum + elementCount(stored.shape), 0);
    let done = 0;
    const losses = new Losses();
    const tensors = changed.flatMap(({ stored, form }) => inBlocks(stored, losses.counted(dtype.slice("compact (".length, -1), form), async function* (_, elements) {
      for await (const values of weightValues(stored, elements)) {
        signal?.throwIfAborted();
        yield values;
        onProgress?.((done += values.length), total);
      }
    }));
    await requireFreeSpace(temporary, tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0), `${checkpoint.name}, compact`);
    await writeShards(temporary, tensors, { format: "pt", sdtp_weights: "compact" });
    const others = [...checkpoint.tensors.values()].filter((stored) => lossless(stored) === null).reduce((sum, stored) => sum + heldBytes(stored), 0);
    await writeLoss(temporary, losses.summary(others + losslessBytes(weights)));
  }, { folder: root });
  const made = (await readWeights(folder)).tensors;
  const tensors = new Map(checkpoint.tensors);
  for (const { stored: { name, shape, quantization }, form: { bits, blockSize, zeroPoints } } of changed) {
    tensors.set(name, {
      ...made.get(name)!, shape,
      quantization: { bits, blockSize, scales: made.get(scalesName(name))!, zeroPoints: zeroPoints ? made.get(zeroPointsName(name))! : null, offsets: null, fileBits: quantization!.fileBits! },
    });
  }
  return { ...checkpoint, dtype, near: await readLoss(folder), original: checkpoint.original ?? checkpoint, tensors, hash: async () => compactHash(await checkpoint.hash()) };
}
