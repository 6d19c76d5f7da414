// 16-bit weights as the CPU multiplies them, so that graphs need not compute them for themselves.
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { cached, cacheFolder } from "./cache.js";
import type { ConvertOptions } from "./convert.js";
import { elementCount } from "./dtype.js";
import { headName, tensorsToHold } from "./encode.js";
import { filesIdentity } from "./hash.js";
import type { Checkpoint, StoredTensor } from "./types.js";
import { parseWeightFormat } from "./weight-dtype.js";
import { checkTensors, readWeights } from "./weights.js";

/** Below this, in bytes of float32, what graphs compute for themselves takes less than a file of it is worth. */
const WORTH = 100e6;

const multipliedAsStored = ({ dtype, view, scaling }: StoredTensor): boolean => dtype === "F32" && !view && !scaling;

/**
 * Bytes in float32 of weights that graphs would have to compute while they are loaded, each for itself: those in 16 or 8 bits, parts of others, turned
 * ones. 0 where they are few, and for models that stay as they are: with experts, which are joined in any case, or with some weights in blocks.
 */
export function bytesToWiden({ config, tensors }: Checkpoint): number {
  const all = [...tensors.values()];
  // A head beside the embedding that it is tied to would be lost.
  if (config.experts || (config.tiedEmbeddings && tensors.has(headName)) || all.some(({ quantization }) => quantization) || all.every(multipliedAsStored)) return 0;
  const bytes = all.reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
  return bytes < WORTH ? 0 : bytes;
}

/**
 * The same weights in float32, each in the form in which it is multiplied: made once into the cache folder, or found there. Values are those that
 * ONNX Runtime would make of the stored ones. Name, dtype and hash stay the checkpoint's own.
 * @throws on too little free space, or a cache folder that cannot be written to
 */
export async function widened(checkpoint: Checkpoint, options: ConvertOptions = {}): Promise<Checkpoint> {
  const format = parseWeightFormat("fp32");
  const id = createHash("sha256").update(`float32 1\n${await filesIdentity(checkpoint.config, [...checkpoint.tensors.values()])}`).digest("hex").slice(0, 16);
  const label = basename(checkpoint.folder).replace(/[^A-Za-z0-9._-]/g, "_").slice(0, 60);
  const folder = await cached(`float32-${label}-${id}`, async (temporary) => {
    await (await import("./convert.js")).convertInto(temporary, checkpoint, tensorsToHold(checkpoint.config, format), format, options);
  }, { folder: options.cacheFolder ?? cacheFolder() });
  const { tensors } = await readWeights(folder);
  checkTensors(checkpoint.config, tensors, folder);
  return { ...checkpoint, original: checkpoint.original ?? checkpoint, tensors };
}
