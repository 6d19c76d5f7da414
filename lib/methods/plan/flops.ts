import type { ModelConfig } from "../../checkpoint/types.js";
import { layerWindow } from "../../checkpoint/sliding-window.js";
import { lastTokenWillDo } from "./pieces.js";
import type { KvPolicy } from "../method.js";
import { type Stage, tokensKept, tokensPerBlock } from "./stages.js";

/**
 * How floating-point operations are counted, one multiply-add as two.
 *
 * `exact`: the matrix products of this model as it is computed. Grouped-query sharing, causal attention (a token
 * meets those before it and itself), a sliding window, of experts those that a token goes to, the head on one token, the last block's queries and MLP on one token too
 * (unless its hidden states are asked for), the pruning modules (`Linear(d, d/4), Linear(d/4, 1)` on the tokens present at each stage). Norms, rotary, softmax and activations,
 * which are no matrix products, are left out.
 *
 * `paper`: the formula behind Table 2 of arXiv:2504.04514v2, found by fitting it: per block
 * 2 (4 d² + 3 d f) m + 3 m² d for m tokens present, plus 2 V d for every token at the embedding and again at the
 * head; for a decoded token, the same with 3 d times its cached tokens. No grouped-query sharing, no pruning
 * modules. It reproduces all 24 printed figures for Mistral-7B: without SDTP to 0.01 %, with it to 2 %.
 */
export type Counting = "exact" | "paper";

export const countings: readonly Counting[] = ["exact", "paper"];

export interface FlopsInput {
  readonly config: ModelConfig;
  /** The schedule for `n` tokens in this model; empty without pruning. */
  readonly stages: readonly Stage[];
  /** Prompt length in tokens; the model's own limit on positions is not looked at. */
  readonly n: number;
  readonly counting: Counting;
  /** Whether trained modules score the tokens (`exact` only; other scorers cost next to nothing). Default true. */
  readonly modules?: boolean;
  /** The last block that is computed, whole and without a head after it; default: all, and the head. */
  readonly until?: number;
}

/**
 * Floating-point operations of the prefill of one prompt.
 * @example
 * const stages = sdtp.schedule(sdtp.resolvePreset("keep07"), 4096, model.config.layers);
 * sdtp.prefillFlops({ config: model.config, stages, n: 4096, counting: "exact" })
 */
export function prefillFlops({ config, stages, n, counting, modules = true, until }: FlopsInput): number {
  const { hiddenSize: d, vocabSize: V } = config;
  const tokens = tokensPerBlock(stages, n, config.layers).slice(0, until === undefined ? undefined : until + 1);
  const perToken = (layer: number) => blockFlopsPerToken(config, counting, layer);
  if (counting === "paper") {
    const blocks = sum(tokens, (m, layer) => perToken(layer) * m + 3 * m * m * d);
    return blocks + 2 * V * d * n + (until === undefined ? 2 * V * d * tokensKept(stages, n) : 0);
  }
  const last = lastTokenWillDo(stages.map(({ afterLayer }) => afterLayer), config) ? config.layers - 1 : -1;
  const blocks = sum(tokens, (m, layer) => {
    const width = window(layerWindow(config, layer), m / n);
    if (layer === last) return keyValueFlopsPerToken(config) * (m - 1) + perToken(layer) + attentionFlopsPerPair(config) * Math.min(m, width);
    return perToken(layer) * m + attentionFlopsPerPair(config) * causalPairs(m, width);
  });
  return blocks + (modules ? sum(stages, ({ present }) => moduleFlops(d) * present) : 0) + (until === undefined ? 2 * V * d : 0);
}

/**
 * Floating-point operations of a prompt's tokens once more, `chunk` at a time, each part against the whole cache of the first time and itself; counted exactly, with the
 * products of each part with its own first keys.
 * @param tokens in the cache of each layer
 */
export function repeatFlops({ config, tokens, n, counting, chunk }: Pick<FlopsInput, "config" | "n" | "counting"> & { readonly tokens: readonly number[]; readonly chunk: number }): number {
  const sizes = Array.from({ length: Math.ceil(n / chunk) }, (_, part) => Math.min(chunk, n - part * chunk));
  const perPair = counting === "paper" ? 3 * config.hiddenSize : attentionFlopsPerPair(config);
  return sum(tokens, (held, layer) => sum(sizes, (m) => blockFlopsPerToken(config, counting, layer) * m + perPair * (m * held + (counting === "paper" ? m * m : 1.5 * causalPairs(m, Infinity) + 0.5 * m * m))));
}

export interface DecodeInput extends FlopsInput {
  /** Decode runs: one token each. */
  readonly newTokens: number;
  /** `evict`: every layer holds the tokens kept at the end; `retain` (default): each holds those it was given. */
  readonly kvPolicy?: KvPolicy;
  /** Tokens that each layer's cache holds (see `Plan`); default: as the policy says. */
  readonly kvLengths?: readonly number[];
}

/**
 * Floating-point operations of `newTokens` decode runs after the prefill.
 * @example
 * const stages = sdtp.schedule(sdtp.resolvePreset("keep07"), 4096, model.config.layers);
 * sdtp.decodeFlops({ config: model.config, stages, n: 4096, counting: "exact", newTokens: 128, kvPolicy: "evict" })
 */
export function decodeFlops({ config, stages, n, counting, newTokens, kvPolicy = "retain", kvLengths }: DecodeInput): number {
  const { hiddenSize: d, vocabSize: V, layers } = config;
  const cached = kvLengths ?? (kvPolicy === "evict" ? Array<number>(layers).fill(tokensKept(stages, n)) : tokensPerBlock(stages, n, layers));
  const perToken = sum(cached, (_, layer) => blockFlopsPerToken(config, counting, layer)) + (counting === "paper" ? 4 : 2) * V * d;
  const perPair = counting === "paper" ? 3 * d : attentionFlopsPerPair(config);
  let pairs = 0;
  for (const [layer, kept] of cached.entries()) {
    for (let step = 1; step <= newTokens; step++) {
      pairs += counting === "paper" ? kept + step : visible(kept, step, n, layerWindow(config, layer));
    }
  }
  return newTokens * perToken + perPair * pairs;
}

/**
 * Floating-point operations of decode runs whose work is known only when it is done, since tokens return: `tokens` and `pairs` as a run counted them (`run.stepCounts`).
 * @example
 * const run = (await sdtp.generate(model, ids, { preset: "lazyllm", maxNewTokens: 32 })).run;
 * sdtp.countedDecodeFlops({ config: model.config, counting: "exact", ...run.stepCounts! })
 */
export function countedDecodeFlops({ config, counting, steps, tokens, pairs }: Pick<FlopsInput, "config" | "counting"> & { readonly steps: number; readonly tokens: readonly number[]; readonly pairs: readonly number[] }): number {
  const perPair = counting === "paper" ? 3 * config.hiddenSize : attentionFlopsPerPair(config);
  const head = (counting === "paper" ? 4 : 2) * config.vocabSize * config.hiddenSize;
  return steps * head + sum(tokens, (count, layer) => blockFlopsPerToken(config, counting, layer) * count + perPair * pairs[layer]!);
}

/**
 * Prefill and decode together.
 * @example
 * const stages = sdtp.schedule(sdtp.resolvePreset("keep07"), 4096, model.config.layers);
 * sdtp.endToEndFlops({ config: model.config, stages, n: 4096, counting: "exact", newTokens: 128, kvPolicy: "evict" })
 */
export function endToEndFlops(input: DecodeInput): number {
  return prefillFlops(input) + decodeFlops(input);
}

/** The projections and the MLP of one block for one token; of experts the router and those that the token goes to. */
function blockFlopsPerToken(config: ModelConfig, counting: Counting, layer: number): number {
  const { hiddenSize: d, heads, headDim, ffnSize, gatedMlp, experts } = config;
  const routed = experts && !experts.denseLayers.includes(layer) ? experts : null;
  const inner = routed ? routed.perToken * routed.size + (routed.sharedSize ?? 0) : ffnSize;
  if (counting === "paper") return 2 * (4 * d * d + 3 * d * inner);
  const router = routed ? routed.count + (routed.sharedSize === null ? 0 : 1) : 0;
  return keyValueFlopsPerToken(config) + 2 * (2 * d * heads * headDim + (gatedMlp ? 3 : 2) * d * inner + d * router);
}

/** The projections to keys and values of one block for one token. */
function keyValueFlopsPerToken({ hiddenSize: d, kvHeads, headDim }: ModelConfig): number {
  return 2 * 2 * d * kvHeads * headDim;
}

/** One query against one key, and its share of that value, over all heads. */
function attentionFlopsPerPair({ heads, headDim }: ModelConfig): number {
  return 4 * heads * headDim;
}

function moduleFlops(d: number): number {
  const inner = Math.floor(d / 4);
  return 2 * (d * inner + inner);
}

/** Tokens within the window. It spans positions, so where only a share of them is left, it spans that share. */
function window(slidingWindow: number | null, share: number): number {
  return slidingWindow === null ? Infinity : Math.max(1, Math.round(slidingWindow * share));
}

/** Pairs of a token with itself and those before it, at most `width` for each. */
function causalPairs(m: number, width: number): number {
  const w = Math.min(m, width);
  return (w * (w + 1)) / 2 + (m - w) * w;
}

/** What decoded token number `step` attends to: the `step` new tokens and the cached ones, as far as the window reaches. */
function visible(kept: number, step: number, n: number, slidingWindow: number | null): number {
  if (slidingWindow === null || slidingWindow >= n + step) return kept + step;
  const fresh = Math.min(step, slidingWindow);
  return fresh + Math.round((kept * (slidingWindow - fresh)) / n);
}

function sum<T>(items: readonly T[], value: (item: T, index: number) => number): number {
  return items.reduce((total, item, index) => total + value(item, index), 0);
}
