import { elementCount } from "../../checkpoint/dtype.js";
import { kvTokenBytes, type KvDtype } from "../../checkpoint/kv-dtype.js";
import type { Checkpoint } from "../../checkpoint/types.js";
import type { Accuracy } from "../../decoder/checkpoint-weights.js";
import { SCORE_BYTES } from "../../methods/plan/pieces.js";
import type { Plan } from "../../methods/plan/plan.js";
import type { MemoryPlan } from "../memory.js";

export interface DeviceMemoryOptions {
  /** Tokens after the prompt. */
  readonly reserve: number;
  /** Graphs that hold the weights there, each for itself. */
  readonly graphs: number;
  /** What is computed in: with `float16` weights and activations are held in it. */
  readonly accuracy: Accuracy;
  readonly kvDtype: KvDtype;
}

/** Vectors of the hidden size, and of the MLP's inner size, that are there at once for each token. */
const [HIDDEN, INNER] = [6, 3];
/** Of the former in float32 where the rest is 16-bit. */
const WIDE = 3;
/** While a step runs, the cache before it and the grown one are there. */
const CACHES = 2;
/** The provider itself, its libraries' workspaces. */
const BASE = 7e8;

/**
 * What a prompt takes of a device's own memory, in bytes, at the higher of its two peaks: the end of the prefill, when keys and values of all layers
 * lie beside the activations, or decoding, when the cache is there twice. Counted, not measured: no card was at hand.
 * @param plan of the prompt
 */
export function deviceMemoryPlan({ config, tensors }: Checkpoint, { n, tokens, kvLengths, attention }: Pick<Plan, "n" | "tokens" | "kvLengths" | "attention">, { reserve, graphs, accuracy, kvDtype }: DeviceMemoryOptions): MemoryPlan {
  const { hiddenSize, ffnSize, vocabSize, heads } = config;
  const bytes = accuracy === "float16" ? 2 : 4;
  // Keys and values leave the prefill in what it computes in; the cache may be something else.
  const [given, perToken] = [bytes * 2 * config.kvHeads * config.headDim, kvTokenBytes(config, kvDtype)];
  let held = 0;
  for (const { shape, length, quantization } of tensors.values()) {
    const elements = elementCount(shape);
    held += quantization ? length + quantization.scales.length + (quantization.zeroPoints?.length ?? 0) : shape.length < 2 ? 4 * elements : bytes * elements;
  }
  const weights = BASE + graphs * held;
  const all = 4 * heads * n * n;
  const scores = attention.kind === "plain" ? 3 * Math.max(all / attention.chunks, Math.min(SCORE_BYTES, all)) : 0;
  // Hidden states are float32 all the same: before a sum, after it, under a norm.
  const hidden = accuracy === "float16" ? 4 * WIDE + 2 * (HIDDEN - WIDE) : 4 * HIDDEN;
  const computing = n * (hidden * hiddenSize + bytes * INNER * ffnSize) + 4 * vocabSize + scores;
  const moving = tokens.reduce((sum, count) => sum + count * given, 0);
  const growing = CACHES * kvLengths.reduce((sum, count) => sum + (count + reserve) * perToken, 0);
  const [cache, activations] = computing + moving >= growing ? [moving, computing] : [growing, 0];
  return { weights, cache, activations, total: weights + cache + activations };
}
