// What methods are held against: queries, keys and values of a float64 pass, and what queries pay to keys, written out.
import type { TinyCheckpoint } from "../../reference/checkpoints.js";
import { headDimOf, kvHeadsOf } from "../../reference/config.js";
import type { ForwardResult, LayerCache } from "../../reference/forward.js";
import { dot, linear, rmsNorm, softmax, type Vector } from "../../reference/operations.js";
import { rotaryFrequencies, rotate } from "../../reference/rotary.js";

export const mean = (rows: readonly ArrayLike<number>[]): number[] => Array.from({ length: rows[0]!.length }, (_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length);

/** Rows of the highest scores, the first `head` and last `tail` in any case. */
export function best(scores: readonly number[], keep: number, head: number, tail: number): number[] {
  const free = scores.map((_, i) => i).filter((i) => i >= head && i < scores.length - tail).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const forced = scores.map((_, i) => i).filter((i) => i < head || i >= scores.length - tail);
  return [...forced, ...free.slice(0, keep - head - tail)].sort((a, b) => a - b);
}

/** Each value's pool over neighbours, zeros beyond the ends. */
export const pooled = (values: readonly number[], kernel: number, pool: (some: number[]) => number): number[] =>
  values.map((_, i) => pool(Array.from({ length: kernel }, (_, k) => values[i + k - (kernel - 1) / 2] ?? 0)));
export const average = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** A pass of `tiny` over `ids`, which nothing prunes; tokens in its caches may have been there before. */
export class Pass {
  readonly heads: number;
  readonly groups: number;
  readonly headDim: number;
  private readonly projections = new Map<number, Vector[]>();

  constructor(private readonly tiny: TinyCheckpoint, readonly result: ForwardResult, private readonly ids: readonly number[], private readonly positions = ids.map((_, i) => i)) {
    this.heads = tiny.config.num_attention_heads;
    this.groups = kvHeadsOf(tiny.config);
    this.headDim = headDimOf(tiny.config);
  }

  /** Query heads that share a key head. */
  sharing(g: number): number[] {
    return Array.from({ length: this.heads / this.groups }, (_, i) => (g * this.heads) / this.groups + i);
  }

  cache(layer: number): LayerCache {
    return this.result.caches[layer]!;
  }

  vectors(layer: number, part: "keys" | "values", g: number): Vector[] {
    const all = this.cache(layer)[part];
    const n = all.length / this.groups / this.headDim;
    return Array.from({ length: n }, (_, t) => Float64Array.from(all.subarray((g * n + t) * this.headDim, (g * n + t + 1) * this.headDim)));
  }

  /** Before rotary embedding, of each of `ids`. */
  rawQueries(layer: number, head: number): Vector[] {
    return this.projected(layer).map((query) => query.slice(head * this.headDim, (head + 1) * this.headDim));
  }

  /** After rotary embedding, of each of `ids`. */
  queries(layer: number, head: number): Vector[] {
    return this.rawQueries(layer, head).map((query, i) => rotate(query, this.positions[i]!, rotaryFrequencies(this.tiny.config)));
  }

  /** Queries of all heads, `[ids][heads * headDim]`. */
  private projected(layer: number): Vector[] {
    const known = this.projections.get(layer);
    if (known) return known;
    const { config, weights } = this.tiny;
    const prefix = `model.layers.${layer}.`;
    const embedding = weights.get("model.embed_tokens.weight")!;
    const inputs = layer > 0 ? this.result.hidden[layer - 1]! : this.ids.map((id) => Float64Array.from({ length: config.hidden_size }, (_, i) => embedding[id * config.hidden_size + i]!));
    const queries = linear(inputs.map((x) => rmsNorm(x, weights.get(`${prefix}input_layernorm.weight`)!, config.rms_norm_eps)), weights.get(`${prefix}self_attn.q_proj.weight`)!);
    this.projections.set(layer, queries);
    return queries;
  }

  /** Scaled products of a query with keys. */
  products(query: Vector, keys: readonly Vector[]): number[] {
    return keys.map((key) => dot(query, key) / Math.sqrt(this.headDim));
  }

  /** What the last `window` of `ids` pay to all tokens of the cache, `[window][length]`. */
  paid(layer: number, head: number, window: number): number[][] {
    const keys = this.vectors(layer, "keys", Math.floor((head * this.groups) / this.heads));
    const queries = this.queries(layer, head);
    return Array.from({ length: window }, (_, i) => {
      const last = keys.length - window + i;
      return softmax(this.products(queries[queries.length - window + i]!, keys).map((product, j) => (j > last ? -Infinity : product)));
    });
  }
}

/** A layer's cache, of each head the tokens at `rows`. */
export function cut(cache: LayerCache, rows: readonly (readonly number[])[], headDim: number): LayerCache {
  const held = cache.keys.length / headDim / rows.length;
  const part = (values: Float64Array) => Float64Array.from(rows.flatMap((own, g) => own.flatMap((row) => [...values.subarray((g * held + row) * headDim, (g * held + row + 1) * headDim)])));
  return { keys: part(cache.keys), values: part(cache.values), positions: rows[0]!.map((row) => cache.positions[row]!) };
}
