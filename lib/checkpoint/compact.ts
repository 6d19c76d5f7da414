// Weights whose types have no form that the processor multiplies without loss and that is about as small as the file's
// (tables of uneven steps, scales of a few bits for 16 elements each, five and six bits an element), in the nearest one that is.
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { cached, cacheFolder } from "./cache.js";
import type { ConvertOptions } from "./convert.js";
import { elementCount } from "./dtype.js";
import { inBlocks, scalesName, zeroPointsName, type BlockForm } from "./encode.js";
import { formatBytes, requireFreeSpace } from "./free-space.js";
import { filesIdentity } from "./hash.js";
import { nearestRows } from "./nearest.js";
import { quantizeRows } from "./quantize.js";
import { tensorBytes } from "./safetensors.js";
import { writeShards } from "./shards.js";
import { fileBytes, heldBytes, totalBytes } from "./sizes.js";
import type { Checkpoint, StoredTensor } from "./types.js";
import { weightValues } from "./values.js";
import { readWeights } from "./weights.js";

/** How often its size in the file a weight may be held in before a smaller form is worth an error. Above what float32 scales beside Q4_K take. */
const NEAR = 1.4;

const four = (blockSize: number): BlockForm => ({ bits: 4, blockSize, zeroPoints: true, encode: (values, columns) => nearestRows(values, columns, blockSize) });
/** Finer by far than five or six bits: what zero points would gain is not worth their bytes. */
const eight: BlockForm = { bits: 8, blockSize: 128, zeroPoints: false, encode: (values, columns) => quantizeRows(values, columns, 8, true, 128) };

/** The form nearest to a weight's size in the file; null: it is held near that already. */
export function compactForm(stored: StoredTensor): BlockForm | null {
  const bits = stored.quantization?.fileBits;
  if (bits === undefined || stored.quantization!.order || heldBytes(stored) <= NEAR * fileBytes(stored)) return null;
  return bits < 4 ? four(128) : bits < 5 ? four(32) : eight;
}

/** Whether there are weights that `compact` would hold otherwise. */
export const isCompactable = ({ tensors }: Pick<Checkpoint, "tensors">): boolean => [...tensors.values()].some((stored) => compactForm(stored) !== null);

/** What is worth knowing of a checkpoint whose weights are held in much more than its files have for them; null: nothing. */
export function sizeNote({ dtype, tensors }: Checkpoint): string | null {
  if (!isCompactable({ tensors })) return null;
  const { held, file } = totalBytes(tensors);
  return `weights: ${dtype}, held without loss in ${formatBytes(held)}, ${formatBytes(file)} in the file (dtype compact: about as small as there, with the error that sdtp dtypes --dtype stored,compact shows)`;
}

/** Counted up when the same weights would become others, so that old cache entries are not used. */
const VERSION = 1;

/**
 * A checkpoint with those weights that are held in much more than the file has for them in the nearest smaller blocks, made once into the cache folder;
 * all others stay what they are. `weightError` says how near that is.
 * @throws where no weight is held in much more, or too little space is free
 */
export async function compactCheckpoint(checkpoint: Checkpoint, { cacheFolder: root = cacheFolder(), onProgress, signal }: ConvertOptions = {}): Promise<Checkpoint> {
  const changed = [...checkpoint.tensors.values()].flatMap((stored) => {
    const form = compactForm(stored);
    return form ? [{ stored, form }] : [];
  });
  if (changed.length === 0) throw new Error(`dtype: compact (${checkpoint.name} is held in ${checkpoint.dtype}, about as small as in its files: take int8 or int4 for less, or no dtype)`);
  const identity = await filesIdentity(checkpoint.config, changed.map(({ stored }) => stored));
  const id = createHash("sha256").update(`${VERSION}\ncompact\n${identity}`).digest("hex").slice(0, 16);
  const label = basename(checkpoint.name, ".gguf").replace(/[^A-Za-z0-9._-]/g, "_").slice(0, 60);
  const folder = await cached(`weights-${label}-compact-${id}`, async (temporary) => {
    const total = changed.reduce((sum, { stored }) => sum + elementCount(stored.shape), 0);
    let done = 0;
    const tensors = changed.flatMap(({ stored, form }) => inBlocks(stored, form, async function* (_, elements) {
      for await (const values of weightValues(stored, elements)) {
        signal?.throwIfAborted();
        yield values;
        onProgress?.((done += values.length), total);
      }
    }));
    await requireFreeSpace(temporary, tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0), `${checkpoint.name}, compact`);
    await writeShards(temporary, tensors, { format: "pt", sdtp_weights: "compact" });
  }, { folder: root });
  const made = (await readWeights(folder)).tensors;
  const tensors = new Map(checkpoint.tensors);
  for (const { stored: { name, shape, quantization }, form: { bits, blockSize, zeroPoints } } of changed) {
    tensors.set(name, {
      ...made.get(name)!, shape,
      quantization: { bits, blockSize, scales: made.get(scalesName(name))!, zeroPoints: zeroPoints ? made.get(zeroPointsName(name))! : null, offsets: null, fileBits: quantization!.fileBits! },
    });
  }
  return {
    ...checkpoint,
    dtype: "compact",
    original: checkpoint.original ?? checkpoint,
    tensors,
    hash: async () => createHash("sha256").update(`${await checkpoint.hash()} ${VERSION} compact`).digest("hex"),
  };
}
