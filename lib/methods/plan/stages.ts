import { tokensOf, type Amount } from "../amount.js";
import { FORCED, type ForcedTokens, type Method } from "../method.js";

/**
 * One stage of a schedule. Of the `present` tokens, the first `head` and the last `tail` stay whatever their
 * scores; of those between, the `keep - head - tail` highest scores stay, an earlier token before a later one of
 * equal score. Kept tokens stay in order. `keep` = `present`: nothing is pruned here.
 */
export interface Stage {
  /** The stage stands after this block, counted from 0; -1: before the first. */
  readonly afterLayer: number;
  /** Tokens present before the stage. */
  readonly present: number;
  /** Tokens present after it. */
  readonly keep: number;
  /** How many of the first tokens always stay. */
  readonly head: number;
  /** How many of the last tokens always stay; `head + tail <= keep`. */
  readonly tail: number;
}

/**
 * The exact counts of every stage for a prompt of `n` tokens in a model of `depth` blocks
 * (arXiv:2504.04514v2; the forced tokens and the rounding are those of its Python implementation).
 *
 * A shallow model can put several stages after the same block. They become one stage whose count is theirs
 * applied one after the other, and whose forced tokens are those of the last of them: one selection then keeps
 * the very tokens that the separate selections would keep from the same scores, provided the number of tokens
 * chosen by score does not grow from one to the next, which holds for every shipped preset. Forcing the first
 * one's longer tail instead could ask for more tokens than are kept.
 *
 * @throws when `n` or `depth` is not a positive integer.
 * @example
 * sdtp.schedule(sdtp.resolvePreset("sdtp"), 4096, 32)
 */
export function schedule(method: Pick<Method, "stages" | "baseDepth" | "forced" | "speculation">, n: number, depth: number): Stage[] {
  requirePositive("prompt length", n);
  const stages: Stage[] = [];
  let present = n;
  for (const { afterBlock, ...amount } of method.stages) {
    const selected = { afterLayer: position(afterBlock, method.baseDepth, depth), present, ...(method.speculation ? selectChunks(n, amount, method.speculation.chunk) : select(n, present, amount, method.forced ?? FORCED)) };
    const last = stages.at(-1);
    if (last?.afterLayer === selected.afterLayer) stages[stages.length - 1] = { ...selected, present: last.present };
    else stages.push(selected);
    present = selected.keep;
  }
  return stages;
}

/**
 * The blocks that carry a stage in a model of `depth` blocks: distinct, ascending, the same for every prompt
 * length, so that one graph serves them all.
 * @example
 * sdtp.stagePositions(sdtp.resolvePreset("sdtp"), 12)
 */
export function stagePositions(method: Pick<Method, "stages" | "baseDepth">, depth: number): number[] {
  return [...new Set(method.stages.map(({ afterBlock }) => position(afterBlock, method.baseDepth, depth)))];
}

/**
 * Tokens present in each block, `[depth]`: what the block computes on, and the keys and values it produces.
 * @example
 * sdtp.tokensPerBlock(sdtp.schedule(sdtp.resolvePreset("sdtp"), 4096, 32), 4096, 32)
 */
export function tokensPerBlock(stages: readonly Stage[], n: number, depth: number): number[] {
  const tokens: number[] = [];
  let present = stages.find(({ afterLayer }) => afterLayer < 0)?.keep ?? n;
  for (let block = 0; block < depth; block++) {
    tokens.push(present);
    present = stages.find(({ afterLayer }) => afterLayer === block)?.keep ?? present;
  }
  return tokens;
}

/** Tokens left after all stages: what the head sees, and the KV length of every layer under `evict`. */
export function tokensKept(stages: readonly Stage[], n: number): number {
  return stages.at(-1)?.keep ?? n;
}

/** Counts of one selection among `present` tokens. By default, with up to 20 of them everything is forced, so nothing goes. */
function select(n: number, present: number, amount: Amount, forced: ForcedTokens): { keep: number; head: number; tail: number } {
  const head = Math.min(forced.head, present);
  const tail = Math.min(forced.tailOf === "prompt" ? forced.tail + Math.floor(forced.tailShare * n) : Math.max(forced.tail, Math.floor(forced.tailShare * present)), present - head);
  if (forced.apart) {
    const kept = tokensOf(amount, present - tail);
    return { keep: (kept > (forced.fewest ?? 0) ? Math.max(kept, head) : present - tail) + tail, head, tail };
  }
  return { keep: Math.max(tokensOf(amount, present), head + tail), head, tail };
}

/** Whole chunks, the last of them, which may be shorter, in any case. */
function selectChunks(n: number, amount: Amount, chunk: number): { keep: number; head: number; tail: number } {
  const chunks = Math.ceil(n / chunk);
  const tail = n - (chunks - 1) * chunk;
  const kept = amount.tokens !== undefined ? Math.ceil(amount.tokens / chunk) : Math.ceil(amount.ratio * chunks);
  return { keep: (Math.min(kept, chunks) - 1) * chunk + tail, head: 0, tail };
}

/** In words where a stage stands. */
export const stagePlace = (afterLayer: number): string => (afterLayer < 0 ? "before block 0" : `after block ${afterLayer}`);

/** After block i of B stands after block round((i + 1) * depth / B) - 1, halves up, never before the first block. */
function position(afterBlock: number, baseDepth: number, depth: number): number {
  requirePositive("model depth", depth);
  if (afterBlock < 0) return -1;
  return Math.max(0, Math.floor((2 * (afterBlock + 1) * depth + baseDepth) / (2 * baseDepth)) - 1);
}

function requirePositive(noun: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${noun}: ${value} (must be a positive integer)`);
}
