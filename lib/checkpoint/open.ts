// What one kind of model needs, or what is asked of few, is imported where that is known: most of what a start takes is the loading of modules.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readConfig } from "./config.js";
import { familyTensors } from "./family-tensors.js";
import type { RoundInto } from "./convert.js";
import { hashCheckpoint } from "./hash.js";
import { readJsonObject } from "./json.js";
import type { FetchProgress } from "./hub/fetch.js";
import { localPath } from "./hub/local-path.js";
import { locateFolder, locateGguf } from "./locate.js";
import { once } from "./once.js";
import { readMethod } from "./packed/method.js";
import type { PackedOptions } from "./packed/open.js";
import { joinQuantised } from "./quantised.js";
import type { SyntheticOptions } from "./synthetic.js";
import { isSyntheticMetadata, isSyntheticName, noTokenizer } from "./synthetic-name.js";
import type { Checkpoint, StoredTensor } from "./types.js";
import { settleTensors } from "./unused.js";
import { checkTensors, indexFile, readWeights, weightsFile } from "./weights.js";

export interface OpenOptions {
  /**
   * What weights are held in: fp32, fp16, int8, int4, with choices as in `int4:symmetric:head=fp16`; int4 is rounded by what the model's inputs are, `int4:nearest` without.
   * `stored` (default but for GGUF files): as they are stored, without loss. `compact` (default for GGUF files): so too, but for types whose lossless form takes
   * much more than the file, which get the nearest form that does not; what that loses is told, and is in the checkpoint's `near`.
   * Others than the stored one are made once and kept in the cache folder. On the CPU fp16 is computed in float32.
   */
  readonly dtype?: string;
  /** How `synthetic:NAME` is made; no effect on other models. */
  readonly synthetic?: SyntheticOptions;
  /** Another cache folder than the usual one. */
  readonly cacheFolder?: string;
  /** Called while weights are made or converted, with elements done and in all. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Called while files of a repository come from the hub, with bytes there and in all. */
  readonly onFetch?: (progress: FetchProgress) => void;
  /** Told, once a process and model, what was lost to hold weights in about their files' size, or how much more they take without loss; default: stderr. */
  readonly onNote?: (message: string) => void;
  /** Stops making or converting weights; nothing is left but what was rounded by inputs so far. Stops fetching; what came is kept. */
  readonly signal?: AbortSignal;
  /** Rounds int4 by the model's inputs; `openModel` has it. */
  readonly round?: RoundInto;
}

/**
 * Opens a model: configuration and tensor headers are read and checked, weights are not.
 * @param name a model folder; a GGUF file; a hub-cache folder (`models--org--name`); the hub's name of a model (`org/name`, with
 * `@revision`, `:file.gguf`), which is taken from the hub's cache or fetched into it; `tiny`, the embedded model; `synthetic:NAME`,
 * seeded random weights at a published shape, made when first asked for; `synthetic:/path/to/config.json`
 * @throws an error that says what is wrong where: no such folder, unsupported files, family or settings,
 * damaged safetensors, a tensor that is missing or has another shape than config.json makes it
 */
export async function openCheckpoint(name: string, { dtype, synthetic, onFetch, onNote = toStderr, ...options }: OpenOptions = {}): Promise<Checkpoint> {
  if (isSyntheticName(name)) {
    const { makeSynthetic } = await import("./synthetic.js");
    return openFolder(await makeSynthetic(name, { ...options, ...(dtype !== undefined && dtype !== "stored" && { dtype }), ...synthetic }), name);
  }
  const path = await localPath(name, { ...(onFetch && { onFetch }), ...(options.signal && { signal: options.signal }) });
  if (dtype?.startsWith("compact:")) throw new Error(`dtype: ${dtype} (compact takes no choices: the types of the model's own files decide)`);
  if (dtype?.startsWith("stored:")) throw new Error(`dtype: ${dtype} (stored takes no choices: nothing is changed)`);
  const compact = dtype !== undefined && /^compact( \(.*\))?$/.test(dtype);
  const gguf = await locateGguf(path);
  const checkpoint = gguf !== null ? await (await import("./gguf/open.js")).openGguf(gguf, name, { ...options, near: dtype === undefined || compact }) : await openFolder(await locateFolder(path), name, options);
  if (dtype === "stored") return checkpoint;
  const held = dtype === undefined || (compact && gguf !== null) ? checkpoint
    : compact ? await (await import("./compact.js")).compactCheckpoint(checkpoint, options)
    : await (await import("./convert.js")).convertCheckpoint(checkpoint, dtype, options);
  if ((dtype === undefined || dtype === "compact") && !told.has(path)) {
    const note = await noteOf(held);
    if (note !== null) told.add(path) && onNote(note);
  }
  return held;
}

const told = new Set<string>();

function toStderr(message: string): void {
  // A bar that is drawn there makes way.
  process.stderr.write(`${process.stderr.isTTY ? "\r\u001b[K" : ""}${message}\n`);
}

/** Most models need not load what tells this. */
async function noteOf(checkpoint: Checkpoint): Promise<string | null> {
  const packed = [...checkpoint.tensors.values()].some(({ quantization }) => quantization?.fileBits !== undefined);
  return packed ? (await import("./compact.js")).sizeNote(checkpoint) : null;
}

/** Opens the folder that holds config.json. @param name as it is to appear in results @param options for weights that must be made of what the folder has */
export async function openFolder(folder: string, name = folder, options: PackedOptions = {}): Promise<Checkpoint> {
  if (!existsSync(join(folder, "config.json"))) throw await noConfig(folder);
  const said = await readConfig(folder);
  const { tensors: stored, metadata } = await readWeights(folder);
  const own = "sdtp_weights" in metadata;
  const method = own ? null : await readMethod(folder);
  const unpacked = method ? await (await import("./packed/open.js")).unpack(method, stored, folder, options) : { tensors: stored, dtype: null };
  // What this program wrote is under llama's names already.
  const { config, tensors } = own ? { config: said, tensors: joinQuantised(said, stored) } : await settleTensors(said, familyTensors(said, unpacked.tensors, folder), folder);
  checkTensors(config, tensors, folder);
  const synthetic = isSyntheticMetadata(metadata);
  const tokenizer = once(async () => (await import("./tokenizer.js")).loadTokenizer(folder));
  const hash = once(async () => hashCheckpoint(await readJsonObject(join(folder, "config.json")), (method ? stored : tensors).values()));
  return {
    name,
    folder,
    config,
    dtype: metadata["sdtp_weights"] ?? unpacked.dtype ?? storedDtype(tensors),
    tensors,
    synthetic,
    async tokenizer() {
      if (synthetic) throw noTokenizer(name);
      return tokenizer();
    },
    chatTemplate: once(async () => (await import("./chat-template.js")).loadChatTemplate(folder)),
    hash,
  };
}

const dtypeNames: Readonly<Record<string, string>> = { F32: "fp32", F16: "fp16", BF16: "bf16", F8_E4M3: "fp8", F8_E5M2: "fp8" };

/** What most of the weights' bytes are stored in. */
function storedDtype(tensors: ReadonlyMap<string, StoredTensor>): string {
  const bytes = new Map<string, number>();
  for (const { dtype, length } of tensors.values()) bytes.set(dtype, (bytes.get(dtype) ?? 0) + length);
  const [most] = [...bytes].reduce((a, b) => (b[1] > a[1] ? b : a));
  return dtypeNames[most] ?? most.toLowerCase();
}

async function noConfig(folder: string): Promise<Error> {
  const files = await readdir(folder);
  const found = files.length === 0 ? "is empty" : `has no config.json, but ${files.slice(0, 5).join(", ")}${files.length > 5 ? ", …" : ""}`;
  return new Error(`model: ${folder} ${found} (supported: a Hugging Face folder with config.json and ${weightsFile} or pytorch_model.bin, or shards with ${indexFile})`);
}
