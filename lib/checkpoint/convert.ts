// Weights in another dtype, made once from a checkpoint and kept in the cache folder.
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { cached, cacheFolder } from "./cache.js";
import { encodedElements, encodeTensors, formatVersion, sourceName, tensorsToHold, type ValuesOf } from "./encode.js";
import { requireFreeSpace } from "./free-space.js";
import { filesIdentity } from "./hash.js";
import { joinQuantised } from "./quantised.js";
import type { RequiredTensor } from "./required.js";
import { tensorBytes } from "./safetensors.js";
import { writeShards } from "./shards.js";
import type { Checkpoint } from "./types.js";
import { weightValues } from "./values.js";
import { formatName, parseWeightFormat, type WeightFormat } from "./weight-dtype.js";
import { checkTensors, readWeights } from "./weights.js";

export interface ConvertOptions {
  /** Another cache folder than the usual one. */
  readonly cacheFolder?: string;
  /** Called as weights are converted, with elements done and in all. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Stops. What was rounded by inputs so far is kept, all else is gone. */
  readonly signal?: AbortSignal;
  /** Rounds by a model's inputs, which takes runs of it (see `openModel`). */
  readonly round?: RoundInto;
}

/** Fills a folder with `tensors` in a format that is rounded by inputs. What a call before that was stopped has left there is used. */
export type RoundInto = (folder: string, checkpoint: Checkpoint, tensors: readonly RequiredTensor[], format: WeightFormat, valuesOf: ValuesOf, options: RoundOptions) => Promise<void>;

export interface RoundOptions {
  /** Called with the elements that were rounded by inputs so far. */
  readonly onProgress: (elements: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * A checkpoint with its weights held in another dtype: converted tensor by tensor into the cache folder, or found there. Quantised
 * weights count as the numbers they stand for.
 * The checkpoint's own files stay as they are. fp32 takes 16-bit weights as they are, since they are widened when loaded.
 * int4 is rounded by the model's inputs, block by block (`options.round`); stopped, it goes on there the next time.
 * @param dtype fp32, fp16, int8, int4, or with choices (see `parseWeightFormat`); the checkpoint's own dtype changes nothing
 * @throws on an unknown dtype, on a value that the dtype cannot hold, or too little free space
 */
export async function convertCheckpoint(checkpoint: Checkpoint, dtype: string, options: ConvertOptions = {}): Promise<Checkpoint> {
  if (dtype === checkpoint.dtype) return checkpoint;
  const format = parseWeightFormat(dtype);
  const name = formatName(format);
  const stored = [...checkpoint.tensors.values()];
  const plain = stored.every(({ quantization }) => !quantization);
  if (name === checkpoint.dtype || (name === "fp32" && plain)) return { ...checkpoint, dtype: name };
  if (format.rounding === "gptq" && !options.round) throw new Error(`dtype: ${dtype} (is rounded by runs of the model: open it with load, or take ${formatName({ ...format, rounding: "nearest" })})`);
  const wanted = tensorsToHold(checkpoint.config, format);
  const files = await filesIdentity(checkpoint.config, stored);
  const id = createHash("sha256").update(`${formatVersion(format)}\n${name}\n${files}`).digest("hex").slice(0, 16);
  const label = basename(checkpoint.folder).replace(/[^A-Za-z0-9._-]/g, "_").slice(0, 60);
  const folder = await cached(`weights-${label}-${name.replace(/[^a-z0-9]/g, "_")}-${id}`, async (temporary) => {
    await convertInto(temporary, checkpoint, wanted, format, options);
  }, { folder: options.cacheFolder ?? cacheFolder(), keep: format.rounding === "gptq" });
  const { tensors } = await readWeights(folder);
  const joined = joinQuantised(checkpoint.config, tensors);
  checkTensors(checkpoint.config, joined, folder);
  return {
    ...checkpoint,
    dtype: name,
    original: checkpoint.original ?? checkpoint,
    tensors: joined,
    hash: async () => createHash("sha256").update(`${await checkpoint.hash()} ${formatVersion(format)} ${name}`).digest("hex"),
  };
}

/** Writes weights in another format. */
export async function convertInto(folder: string, checkpoint: Checkpoint, tensors: readonly RequiredTensor[], format: WeightFormat, options: ConvertOptions): Promise<void> {
  const { onProgress, signal, round } = options;
  const total = encodedElements(tensors);
  let done = 0;
  // Those that a call before this one rounded count too.
  let rounded = 0;
  const valuesOf: ValuesOf = async function* ({ name }, elements) {
    for await (const values of weightValues(checkpoint.tensors.get(sourceName(name, checkpoint.config.tiedEmbeddings))!, elements)) {
      signal?.throwIfAborted();
      yield values;
      done += values.length;
      onProgress?.(done + rounded, total);
    }
  };
  if (format.rounding === "gptq") {
    await round!(folder, checkpoint, tensors, format, valuesOf, { ...(signal && { signal }), onProgress: (elements) => onProgress?.((rounded = elements) + done, total) });
    return;
  }
  const encoded = encodeTensors(tensors, format, valuesOf);
  await requireFreeSpace(folder, encoded.reduce((sum, tensor) => sum + tensorBytes(tensor), 0), `${checkpoint.name} in ${formatName(format)}`);
  await writeShards(folder, encoded, { format: "pt", sdtp_weights: formatName(format) });
}
