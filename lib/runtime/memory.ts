import { elementCount } from "../checkpoint/dtype.js";
import { expertsOf, multipliedInBlocks, type BlockKind } from "../checkpoint/expert-blocks.js";
import { formatBytes } from "../checkpoint/free-space.js";
import type { Checkpoint, ModelConfig, StoredTensor } from "../checkpoint/types.js";
import { kvTokenBytes, type KvDtype } from "../checkpoint/kv-dtype.js";
import { SCORE_BYTES, windowScoreBytes } from "../methods/plan/pieces.js";
import { SPELLED_OUT, type PiecesPlan } from "../methods/plan/pieces-plan.js";
import type { Plan } from "../methods/plan/plan.js";

/** What a prompt takes, in bytes. */
export interface MemoryPlan {
  /** The weights as the loaded graphs hold them. */
  readonly weights: number;
  /** Keys and values of all layers, with room for the new tokens. */
  readonly cache: number;
  /** At the height of prefill: hidden states, the MLP, scores where they are spelled out, keys and values on their way to the cache. */
  readonly activations: number;
  readonly total: number;
}

export interface MemoryOptions {
  /** Tokens to make room for after the prompt. */
  readonly reserve: number;
  /** Graphs that are loaded: one for decoding, one for each way of prefilling. Each holds for itself what they do not hold together. */
  readonly graphs: number;
  /** Graphs hold together what lies in the model's files as it is multiplied. Default false. */
  readonly oneCopy?: boolean;
  /** What the cache holds keys and values in. */
  readonly kvDtype: KvDtype;
}

// Measured on ONNX Runtime 1.30 with models of 5 to 1100 million weights: see the test of the plan against a process's peak.
/** What quantised weights take once packed for the processor, per byte stored. */
const PACKED = 1.25;
/** Vectors of the hidden size, and of the MLP's inner size, that are there at once for each token. */
const [HIDDEN, INNER] = [6, 3];
/** Vectors of the inner size more in a prompt's graph of int8: ONNX Runtime is told the shapes of graphs so large, and then holds buffers between those that use them (lib/onnx/serialize.ts). */
const HELD_BETWEEN = 4;
/** Vectors of the hidden size that ONNX Runtime's experts hold for each of a token's: gathered twice, the result twice, its share of the sums of all threads. */
const EXPERT_COPIES = 6;
/** What joining the experts of a model takes while one graph is loaded, per byte that they have in it: ONNX Runtime holds every step of it until the end. */
const JOINING = { floats: 1.4, blocks: 3 };
/** Copies of keys and values until they are in the cache: the graph's, and what is made of it for JavaScript. */
const COPIES = 2;
/** Node, the library, the graphs themselves, but for what lies in files. */
const BASE = 1e8;

/** @param plan of the prompt */
export function memoryPlan(checkpoint: Checkpoint, plan: Pick<Plan, "method" | "auxBytes" | "n" | "tokens" | "kvLengths" | "attention" | "shared" | "cache" | "pieces" | "stages" | "evicts" | "again">, options: MemoryOptions): MemoryPlan {
  if (plan.pieces) return piecesMemory(checkpoint, plan, plan.pieces, options);
  const { config, tensors } = checkpoint;
  const { method, n, tokens, kvLengths, attention, shared, cache: selections, auxBytes } = plan;
  const { reserve, graphs, oneCopy = false, kvDtype } = options;
  const { kvHeads, headDim, hiddenSize, vocabSize, heads } = config;
  const perToken = 2 * kvHeads * headDim;
  const cachedBytes = kvTokenBytes(config, kvDtype);
  // Where layers or heads share a budget, the whole cache is there beside the one that is cut out of it.
  const whole = shared ? tokens.reduce((sum, count) => sum + count * cachedBytes, 0) : 0;
  // Where tokens return, every layer may come to hold all of them; what falls anew in its place is little.
  const cache = kvLengths.reduce((sum, count) => sum + ((method.revives ? n : count) + reserve) * cachedBytes, whole) + auxBytes;
  const { kind, chunks, fusedChunks, tiled, windowed, windowTiled } = attention;
  const all = 4 * heads * n * n;
  const scores = kind === "plain" ? 3 * Math.max(all / chunks, Math.min(SCORE_BYTES, all))
    : Math.max(tiled || (windowed && config.fullLayers.length === 0) ? 0 : all / fusedChunks, windowed && !windowTiled ? windowScoreBytes(config, n, fusedChunks) : 0);
  const moving = COPIES * tokens.reduce((sum, count) => sum + 4 * count * perToken, 0);
  const scoring = selections?.[0]?.scoring;
  // A part that repeats the prompt: scores in pieces, and a layer's keys and values joined with its own.
  const part = scoring?.kind === "reconstruction" ? Math.min(scoring.chunk, n) : 0;
  const repeating = part > 0 ? 3 * Math.min(SCORE_BYTES, 4 * heads * part * (n + part)) + 4 * (n + part) * perToken : 0;
  // Tokens that return have their scores spelled out, so many at a time.
  const returning = method.revives ? 3 * Math.min(SCORE_BYTES, all) : 0;
  const between = [...tensors.values()].some(({ quantization }) => quantization?.byChannel) ? HELD_BETWEEN * config.ffnSize : 0;
  const activations = BASE + moving + 4 * n * (HIDDEN * hiddenSize + innerWidth(config) + between) + 4 * vocabSize + Math.max(scores, repeating, returning);
  const weights = weightBytes(tensors, config.tiedEmbeddings, graphs + (part > 0 ? 1 : 0), oneCopy);
  return { weights, cache, activations, total: weights + cache + activations };
}

/** Hidden states of every token that a stage has beside those that wait for it: what its scorer makes of them. */
const SCORED_STATES = 2;

/** Of a prompt in pieces: activations of one piece, and what waits for a stage of all tokens. */
function piecesMemory({ config, tensors }: Checkpoint, { n, tokens, kvLengths, stages, evicts, again }: Pick<Plan, "n" | "tokens" | "kvLengths" | "stages" | "evicts" | "again">, { tokens: piece, inPlace, tiled }: PiecesPlan, { reserve, graphs, oneCopy = false, kvDtype }: MemoryOptions): MemoryPlan {
  const { kvHeads, headDim, hiddenSize, vocabSize, heads, layers } = config;
  const cachedBytes = kvTokenBytes(config, kvDtype);
  const room = (counts: readonly number[]) => counts.reduce((sum, count) => sum + (count + reserve) * cachedBytes, 0);
  // The cache of all tokens is filled first: what the last stage leaves of it, or of the first pass, comes beside it.
  const cache = room(again ? again.kvLengths : tokens) + (evicts ? (again ? (stages[0]!.afterLayer + 1) * n * cachedBytes : room(kvLengths)) : 0);
  const scores = inPlace ? (tiled ? 0 : 4 * heads * piece * n) : SPELLED_OUT * 4 * heads * piece * n;
  // Beside the graph's own caches: a layer's, widened, and what a piece adds to all of them.
  const beside = inPlace ? 0 : 4 * 2 * kvHeads * headDim * (n + COPIES * layers * piece);
  const waiting = stages.length > 0 ? 4 * n * ((1 + SCORED_STATES) * hiddenSize + heads * headDim + kvHeads * headDim) : 0;
  const activations = BASE + 4 * piece * (HIDDEN * hiddenSize + innerWidth(config)) + 4 * vocabSize + scores + beside + waiting;
  const weights = weightBytes(tensors, config.tiedEmbeddings, graphs, oneCopy);
  return { weights, cache, activations, total: weights + cache + activations };
}

/** Vectors of the MLP's inner size, or all that a token takes on its way through its experts: gate and up, their product, what goes in and comes out of each. */
function innerWidth({ hiddenSize, ffnSize, experts }: ModelConfig): number {
  if (!experts) return INNER * ffnSize;
  const routed = experts.perToken * (INNER * experts.size + EXPERT_COPIES * hiddenSize) + INNER * (experts.sharedSize ?? 0);
  return experts.denseLayers.length > 0 ? Math.max(INNER * ffnSize, routed) : routed;
}

function weightBytes(tensors: ReadonlyMap<string, StoredTensor>, tied: boolean, graphs: number, oneCopy: boolean): number {
  let packed = 0;
  let widened = 0;
  let joining = 0;
  const inBlocks = expertsInBlocks(tensors);
  for (const { name, shape, dtype, length, quantization, view, scaling } of tensors.values()) {
    // The embedding is read row by row from the file; where it is the head too, that is a product like any other.
    if (shape.length < 2 || (name === "model.embed_tokens.weight" && !(tied && !tensors.has("lm_head.weight"))) || name === "model.embed_positions.weight") continue;
    const experts = expertsOf(name);
    const expert = experts !== null;
    const blocks = expert && !inBlocks.has(experts) ? undefined : quantization;
    // What ONNX Runtime has to compute of a weight while it loads a graph is that graph's own.
    const together = oneCopy && !expert && (blocks !== undefined || (dtype === "F32" && !view && !scaling));
    const copies = together ? 1 : graphs;
    if (expert) joining += blocks ? JOINING.blocks * (length + blocks.scales.length) : JOINING.floats * 4 * elementCount(shape);
    if (blocks) {
      packed += copies * PACKED * (length + blocks.scales.length + (blocks.zeroPoints?.length ?? 0) + (blocks.offsets?.length ?? 0));
      // Prompts have a form of their own: a graph has one or the other.
      if (together) packed += blocks.byChannel?.weights.length ?? 0;
    } else {
      packed += copies * 4 * elementCount(shape);
      // While a graph is loaded, one tensor is there in both widths.
      if (dtype !== "F32") widened = Math.max(widened, 4 * elementCount(shape));
    }
  }
  return Math.round(packed + Math.max(widened, joining));
}

/** MLPs whose experts are multiplied in blocks; those of others are widened to float32. */
function expertsInBlocks(tensors: ReadonlyMap<string, StoredTensor>): ReadonlySet<string> {
  const kinds = new Map<string, (BlockKind | null)[]>();
  for (const { name, shape, quantization } of tensors.values()) {
    const experts = shape.length === 2 ? expertsOf(name) : null;
    if (experts === null) continue;
    const kind = quantization && !quantization.order ? { bits: quantization.bits, blockSize: quantization.blockSize, offsets: quantization.offsets !== null, columns: shape[1]! } : null;
    const list = kinds.get(experts);
    if (list) list.push(kind);
    else kinds.set(experts, [kind]);
  }
  return new Set([...kinds].flatMap(([experts, list]) => (list.every((kind) => kind !== null) && multipliedInBlocks(list) ? [experts] : [])));
}

/** What this process has, and could have more, in bytes. */
export function memoryLimit(): number {
  return process.availableMemory() + process.memoryUsage.rss();
}

/** The longest prompt up to `most` whose plan stays within `limit`; 0 where none does. */
export function largestLength(plan: (n: number) => MemoryPlan, limit: number, most: number): number {
  let [fits, above] = [0, most + 1];
  while (above - fits > 1) {
    const middle = Math.floor((fits + above) / 2);
    if (plan(middle).total <= limit) fits = middle;
    else above = middle;
  }
  return fits;
}

/** The error for a prompt that does not fit. @param cause what failed, where it was tried */
export function memoryError(n: number, plan: (n: number) => MemoryPlan, limit: number, cause?: Error): Error {
  const { weights, cache, activations, total } = plan(n);
  // What failed has shown the plan to be too low or memory to be shared with others: only shorter prompts are worth naming.
  const largest = largestLength(plan, cause ? Math.min(limit, 0.9 * total) : limit, n - 1);
  const advice = largest > 0 ? `at most ${largest} tokens fit` : "not even one token fits: take int8 or int4 weights";
  const parts = `weights ${formatBytes(weights)}, cache ${formatBytes(Math.round(cache))}, activations ${formatBytes(Math.round(activations))}`;
  return new Error(`memory: ${formatBytes(Math.round(total))} for a prompt of ${n} tokens (${parts}; ${formatBytes(limit)} are there${cause ? ", and were not enough" : ""}; ${advice})`, cause && { cause });
}

/** Whether an error says that memory ran out. */
export function isOutOfMemory(error: unknown): error is Error {
  return error instanceof Error && /bad_alloc|failed to allocate|allocation failed|out of memory/i.test(error.message);
}
