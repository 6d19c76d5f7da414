import { elementCount } from "../../checkpoint/dtype.js";
import { kvTokenBytes } from "../../checkpoint/kv-dtype.js";
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
  /** What weights are multiplied in: with `float16` they are held in it. */
  readonly accuracy: Accuracy;
}

/** Vectors of the hidden size, and of the MLP's inner size, that are there at once for each token. */
const [HIDDEN, INNER] = [6, 3];
/** While a step runs, the cache before it and the grown one are there. */
const CACHES = 2;
/** The provider itself, its libraries' workspaces. */
const BASE = 7e8;

/**
 * What a prompt takes of a device's own memory, in bytes, at the higher of its two peaks: the end of the prefill, when keys and values of all layers
 * lie beside the activations, or decoding, when the cache is there twice. Counted, not measured: no card was at hand.
 * @param plan of the prompt
 */
export function deviceMemoryPlan({ config, tensors }: Checkpoint, { n, tokens, kvLengths, attention }: Pick<Plan, "n" | "tokens" | "kvLengths" | "attention">, { reserve, graphs, accuracy }: DeviceMemoryOptions): MemoryPlan {
  const { hiddenSize, ffnSize, vocabSize, heads } = config;
  const perToken = kvTokenBytes(config, "fp32");
  let held = 0;
  for (const { shape, length, quantization } of tensors.values()) {
    const elements = elementCount(shape);
    held += quantization ? length + quantization.scales.length + (quantization.zeroPoints?.length ?? 0) : shape.length < 2 ? 4 * elements : (accuracy === "float16" ? 2 : 4) * elements;
  }
  const weights = BASE + graphs * held;
  const all = 4 * heads * n * n;
  const scores = attention.kind === "plain" ? 3 * Math.max(all / attention.chunks, Math.min(SCORE_BYTES, all)) : 0;
  const computing = 4 * n * (HIDDEN * hiddenSize + INNER * ffnSize) + 4 * vocabSize + scores;
  const moving = tokens.reduce((sum, count) => sum + count * perToken, 0);
  const growing = CACHES * kvLengths.reduce((sum, count) => sum + (count + reserve) * perToken, 0);
  const [cache, activations] = computing + moving >= growing ? [moving, computing] : [growing, 0];
  return { weights, cache, activations, total: weights + cache + activations };
}
