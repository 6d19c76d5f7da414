// A small model chooses for a large one (SpecPrefill, arXiv:2502.02789): see lib/methods/specprefill.ts.
import type { Checkpoint, ModelConfig } from "../checkpoint/types.js";
import type { Speculation } from "../methods/method.js";
import type { Stage } from "../methods/plan/stages.js";
import type { HostKv } from "./kv-cache.js";
import { likeliest } from "./likeliest.js";
import type { PromptModel, Run } from "./run.js";

/** What another model chose of a prompt. */
export interface Speculated {
  /** Positions kept, ascending. */
  readonly kept: Int32Array;
  /** Of each token the mean over its chunk of what it is looked at, `[n]`. */
  readonly scores: Float32Array;
}

/**
 * Chunks of a prompt that a small model's last token, and those that it goes on with, look at most.
 * @param speculator the small model, with the tokens of the large one (`requireSameTokens`) @param stage how many tokens stay
 */
export async function speculate(speculator: PromptModel, ids: readonly number[], stage: Stage, { lookahead, kernel, chunk }: Speculation, signal?: AbortSignal): Promise<Speculated> {
  const n = ids.length;
  const { eosTokenIds } = speculator.config;
  // All but the last token: what that one asks for is seen as it is appended.
  const run = await speculator.prefill(ids.slice(0, -1), { reserve: lookahead + 1, ...(signal && { signal }) });
  const importance = new Float64Array(n);
  let looked = 0;
  try {
    for (let token = ids[n - 1]!; looked < lookahead;) {
      signal?.throwIfAborted();
      const most = await lookOf(run, token, n, kernel, speculator.config);
      most.forEach((value, i) => (importance[i]! += value));
      looked++;
      token = likeliest(run.logits, 1)[0]!;
      if (eosTokenIds.includes(token)) break;
    }
  } finally {
    run.dispose();
  }
  const chunks = Array.from({ length: Math.ceil(n / chunk) }, (_, c) => {
    const own = importance.subarray(c * chunk, Math.min(n, (c + 1) * chunk));
    return own.reduce((sum, value) => sum + value, 0) / own.length / looked;
  });
  const last = chunks.length - 1;
  const free = (stage.keep - stage.tail) / chunk;
  const best = Array.from({ length: last }, (_, c) => c).sort((a, b) => chunks[b]! - chunks[a]! || a - b).slice(0, free);
  const stays = new Set([...best, last]);
  const scores = Float32Array.from(ids, (_, i) => chunks[Math.floor(i / chunk)]!);
  return { scores, kept: Int32Array.from(ids.keys()).filter((i) => stays.has(Math.floor(i / chunk))) };
}

/** Appends a token; what it pays to each of the prompt's `n` tokens alone, smoothed, at most over layers and heads: `[n]`. */
async function lookOf(run: Run, token: number, n: number, kernel: number, config: ModelConfig): Promise<Float64Array> {
  const { queries } = await run.observe([token]);
  const kv = await run.kv.toHost();
  const most = new Float64Array(n);
  queries.forEach((query, layer) => {
    for (let head = 0; head < config.heads; head++) {
      const paid = paidTo(kv, layer, query.subarray(head * config.headDim, (head + 1) * config.headDim), Math.floor((head * config.kvHeads) / config.heads), n, config);
      // The mean over neighbours, with zeros beyond the ends, from running sums.
      const side = (kernel - 1) / 2;
      let sum = 0;
      for (let i = -side; i < n; i++) {
        if (i + side < n) sum += paid[i + side]!;
        if (i - side - 1 >= 0) sum -= paid[i - side - 1]!;
        if (i >= 0 && sum / kernel > most[i]!) most[i] = sum / kernel;
      }
    }
  });
  return most;
}

/** The softmax of a query over the first `n` keys of a head. */
function paidTo(kv: HostKv, layer: number, query: Float32Array, kvHead: number, n: number, { headDim, attentionScale, attentionSoftcap }: ModelConfig): Float64Array {
  const keys = kv.layer(layer).key(kvHead);
  const scores = new Float64Array(n);
  let largest = -Infinity;
  for (let i = 0; i < n; i++) {
    let product = 0;
    for (let d = 0, at = i * headDim; d < headDim; d++, at++) product += query[d]! * keys[at]!;
    product *= attentionScale;
    scores[i] = attentionSoftcap ? attentionSoftcap * Math.tanh(product / attentionSoftcap) : product;
    largest = Math.max(largest, scores[i]!);
  }
  let sum = 0;
  for (let i = 0; i < n; i++) sum += scores[i] = Math.exp(scores[i]! - largest);
  for (let i = 0; i < n; i++) scores[i]! /= sum;
  return scores;
}

/**
 * The small model must read the large one's ids as the same text, and see its whole prompt.
 * @throws where a token is another, where one of them has no tokenizer, or where the small model's attention does not see all keys alike
 */
export async function requireSameTokens(speculator: Pick<Checkpoint, "name" | "config" | "tokenizer">, large: Pick<Checkpoint, "name" | "config" | "tokenizer">): Promise<void> {
  const { config } = speculator;
  if (config.positions === "alibi" || (config.slidingWindow !== null && config.slidingWindow < config.maxPositions)) {
    throw new Error(`speculator: ${speculator.name} (its attention has ${config.positions === "alibi" ? "ALiBi positions" : "a sliding window"}: must see all of the prompt alike)`);
  }
  const tokenizerOf = (of: typeof large) => of.tokenizer().catch((cause: unknown) => {
    throw new Error(`speculator: ${speculator.name} (that it has the tokenizer of ${large.name} cannot be told: ${(cause as Error).message})`, { cause });
  });
  const [small, own] = [await tokenizerOf(speculator), await tokenizerOf(large)];
  // Models pad their vocabularies; tokens are what both know.
  const count = Math.max(small.vocabSize, own.vocabSize);
  for (let id = 0; id < count; id++) {
    if (small.token(id) !== own.token(id)) throw new Error(`speculator: ${speculator.name} (has another tokenizer than ${large.name}: token ${id} is ${JSON.stringify(small.token(id))} there and ${JSON.stringify(own.token(id))} here)`);
  }
}
