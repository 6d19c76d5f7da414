import type { KvDtype } from "../../checkpoint/kv-dtype.js";
import type { ModelConfig } from "../../checkpoint/types.js";
import { FUSED_HEAD_MULTIPLE, SCORE_BYTES } from "./pieces.js";

/** How a device takes a prompt in pieces: over caches that graphs grow where they lie, or over caches beside what is new; null: it does not. */
export type PiecesWay = "in place" | "beside" | null;

/** A prompt that goes through the blocks in pieces: its activations are those of a piece. */
export interface PiecesPlan {
  /** Tokens of a piece; the last one may have fewer. */
  readonly tokens: number;
  /** Graphs grow the caches where they lie. */
  readonly inPlace: boolean;
  /** Attention takes the keys tile by tile; else it holds all scores of a piece at a time. */
  readonly tiled: boolean;
}

/** Tokens of a piece unless asked otherwise. */
export const PIECE_TOKENS = 512;

/** @throws on what is no number of tokens */
export function requirePiece(piece: number | "whole"): void {
  if (piece !== "whole" && (!Number.isSafeInteger(piece) || piece < 1)) throw new Error(`piece: ${piece} (must be a positive integer of tokens, or whole)`);
}

/** Scores beside one another while attention is spelled out: products, masked and weighted ones. */
export const SPELLED_OUT = 3;

/** Why a prompt cannot go through the blocks in pieces; null: it can. */
export function wholeOnly({ method, cache, shared }: { readonly method: { readonly name: string; readonly revives?: boolean | undefined }; readonly cache: object | null; readonly shared: string | null }, way: PiecesWay, captures: boolean): string | null {
  if (way === null) return "this device takes prompts as a whole: --device cpu, no worker";
  if (captures) return "captured activations are of the whole prompt";
  if (cache || shared) return `${method.name} cuts caches down by what the whole prompt looks at`;
  if (method.revives) return `${method.name} keeps what it prunes of the whole prompt, to return`;
  return null;
}

/**
 * The pieces of a prompt of `n` tokens. Where their scores are held as a whole they are as small as that wants.
 * @param asked tokens of a piece at most
 */
export function planPieces(config: ModelConfig, n: number, asked: number, { way, kvDtype, staged }: { readonly way: PiecesWay; readonly kvDtype: KvDtype; readonly staged: boolean }): PiecesPlan {
  const { heads, headDim, positions, slidingWindow, attentionSinks } = config;
  const tokens = Math.min(asked, n);
  // Attention that counts a window in places of the cache sees too far back once tokens are gone.
  const inPlace = way === "in place" && kvDtype === "fp32" && positions !== "alibi" && headDim % FUSED_HEAD_MULTIPLE === 0 && !(staged && slidingWindow !== null && slidingWindow < n);
  const scores = (inPlace ? 1 : SPELLED_OUT) * 4 * heads * n;
  const fits = tokens * scores <= SCORE_BYTES;
  if (fits || (inPlace && !attentionSinks)) return { tokens, inPlace, tiled: inPlace && !attentionSinks && (!fits || (slidingWindow !== null && slidingWindow < n)) };
  return { tokens: Math.max(1, Math.floor(SCORE_BYTES / scores)), inPlace, tiled: false };
}
