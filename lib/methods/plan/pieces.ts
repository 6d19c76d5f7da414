import type { ModelConfig } from "../../checkpoint/types.js";
import { activationBlock } from "./activations.js";

/** Head sizes that the fused attention takes: multiples of this. */
export const FUSED_HEAD_MULTIPLE = 8;

/** How a prompt's attention is computed. */
export interface AttentionPlan {
  /** `fused`: memory linear in n, or bounded. `plain`: quadratic, but any mask, any head size and any device. */
  readonly kind: "fused" | "plain";
  /** Groups of queries that fused attention takes one after the other. */
  readonly fusedChunks: number;
  /** Fused attention takes the keys tile by tile; else it holds all scores of a group of queries at a time. */
  readonly tiled: boolean;
  /** Groups of queries that plain attention takes one after the other. */
  readonly chunks: number;
  /** The prompt is longer than the model's sliding window. */
  readonly windowed: boolean;
  /** As `tiled`, of layers with a window, pieces of which are given no keys but those that the window reaches. */
  readonly windowTiled: boolean;
}

/** Scores that plain attention may hold at a time, in bytes. */
export const SCORE_BYTES = 2 ** 28;

/**
 * Pieces that fused attention is fastest in on a CPU: of about 256 queries, so many at least and at most, for prompts that long at least.
 * Measured against one tiled piece: with heads of 32 and 64, a quarter of its time at 1024 tokens to four fifths at 16384; with heads of 128, two thirds at 1024 and as long at 4096.
 */
const [PIECE, FEWEST_PIECES, MOST_PIECES, PIECES_FROM] = [256, 4, 32, 512];
/** Where the scores of so large a piece would not fit, tiles are taken, and these are the pieces they are fastest in. */
const TILED_PIECES = 16;

/** What a plan depends on beside the model and the prompt's length. */
export interface PlanAttentionOptions {
  /** Plain attention even where the fused one would do. */
  readonly plain?: boolean;
  /** On a CPU: fewest tokens that a block gets, after all stages (fused attention takes no empty pieces). Default 0: in one piece and as the device likes it. */
  readonly fewest?: number;
  /** Groups of queries that plain attention takes a long prompt in at least, no more than a block gets tokens. Default 1. */
  readonly pieces?: number;
}

/** The plan for a prompt of `n` tokens. */
export function planAttention(config: ModelConfig, n: number, { plain = false, fewest = 0, pieces = 1 }: PlanAttentionOptions = {}): AttentionPlan {
  const windowed = config.slidingWindow !== null && n > config.slidingWindow;
  const fused = fusedPlan(config, n, fewest);
  // Fused attention has no room for ALiBi's slopes, and takes no tiles where there are sinks.
  const fits = !config.attentionSinks || 4 * config.heads * Math.ceil(n / fused.fusedChunks) * n <= SCORE_BYTES;
  const kind = plain || config.positions === "alibi" || config.headDim % FUSED_HEAD_MULTIPLE !== 0 || !fits ? "plain" : "fused";
  const bytes = 4 * config.heads * n * n;
  // Powers of two, so that prompts of like length share a graph. Where attention is fused, plain one is left for layers with a window after a stage.
  const least = n >= PIECES_FROM ? Math.floor(Math.log2(pieces)) : 0;
  const chunks = kind === "fused" && !windowed ? 1 : 2 ** Math.max(least, Math.ceil(Math.log2(bytes / SCORE_BYTES)));
  return { kind, ...(kind === "fused" ? fused : fusedPlan(config, n, 0)), chunks, windowed };
}

/** Bytes of the scores that a piece of a layer with a window holds at a time, untiled. */
export function windowScoreBytes({ heads, slidingWindow }: Pick<ModelConfig, "heads" | "slidingWindow">, n: number, pieces: number): number {
  const size = Math.ceil(n / pieces);
  return 4 * heads * size * Math.min(n, slidingWindow! + size);
}

function fusedPlan(config: ModelConfig, n: number, fewest: number): Pick<AttentionPlan, "fusedChunks" | "tiled" | "windowTiled"> {
  const { heads, attentionSinks, slidingWindow } = config;
  const windowed = slidingWindow !== null && n > slidingWindow;
  const pieces = (wanted: number) => (n >= PIECES_FROM && fewest >= wanted ? wanted : 1);
  const whole = pieces(2 ** Math.round(Math.log2(Math.min(Math.max(n / PIECE, FEWEST_PIECES), MOST_PIECES))));
  if (attentionSinks) return { fusedChunks: whole, tiled: false, windowTiled: false };
  const tiled = fewest === 0 || 4 * heads * Math.ceil(n / whole) * n > SCORE_BYTES;
  // The smaller a piece, the fewer keys it has beside its window's.
  const fusedChunks = tiled && !windowed ? pieces(TILED_PIECES) : whole;
  return { fusedChunks, tiled, windowTiled: windowed ? fewest === 0 || windowScoreBytes(config, n, whole) > SCORE_BYTES : tiled };
}

/**
 * After its keys and values, the last block matters only for the token whose logits are wanted, unless something inside it is asked for or
 * a stage after it has no scores of one before.
 */
export function lastTokenWillDo(stages: readonly number[], config: Pick<ModelConfig, "layers">, capture: readonly string[] = []): boolean {
  const last = config.layers - 1;
  return stages[0] !== last && !capture.some((name) => activationBlock(config, name).layer === last);
}
