import type { KvDtype } from "../checkpoint/kv-dtype.js";
import type { ModelConfig } from "../checkpoint/types.js";
import { FUSED_HEAD_MULTIPLE } from "../methods/plan/pieces.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import type { Attention } from "./attention.js";
import { throughBlocks } from "./decode.js";
import { rotaryInputs } from "./positions.js";
import type { Weights } from "./weights.js";

/** Whether `inPlaceGraph` serves a model and its caches: ONNX Runtime's attention masks by places in the cache, and knows one scale for all of it. */
export const decodesInPlace = ({ slidingWindow, positions, headDim }: Pick<ModelConfig, "slidingWindow" | "positions" | "headDim">, kvDtype: KvDtype): boolean =>
  kvDtype === "fp32" && slidingWindow === null && positions !== "alibi" && headDim % FUSED_HEAD_MULTIPLE === 0;

/**
 * `m` further tokens on top of caches that one operator a layer reads and grows where they lie: what it returns as a cache must be given the memory of
 * the one that went in.
 * Inputs: `ids` `[1, m]`, `positions` `[m]` int64; with rotary positions `cos`, `sin` for them (see `rotaryInputs`); `lengths` `[layers]` int32, tokens in each
 * layer's cache with the new ones; for each layer L `past_key.L`, `past_value.L` `[1, kvHeads, capacity_L, headDim]`, with room for the new tokens.
 * With `ragged` each head has a cache of its own, as layer `L.H` of one head, and a length, `[layers * kvHeads]`.
 * Outputs: `logits` `[m, vocabulary]`; `key.L`, `value.L`: the caches.
 */
export function inPlaceGraph(g: GraphBuilder, weights: Weights, config: ModelConfig, { ragged = false }: { readonly ragged?: boolean } = {}): void {
  const { layers, kvHeads, headDim, vocabSize } = config;
  const ids = g.input("ids", "int64", [1, "m"]);
  const rotaries = rotaryInputs(g, config, "m");
  const positions = g.input("positions", "int64", ["m"]);
  const each = ragged ? kvHeads : 1;
  const lengths = g.input("lengths", "int32", [layers * each]);
  const cacheOf = growingCaches(g, lengths, layers * each, headDim);
  const attentionOf = (layer: number): Attention => {
    if (!ragged) return growing(config, cacheOf(String(layer), layer, kvHeads));
    const one = { ...config, heads: config.heads / kvHeads, kvHeads: 1 };
    return byHead(config, Array.from({ length: kvHeads }, (_, head) => growing(one, cacheOf(`${layer}.${head}`, layer * kvHeads + head, 1))));
  };
  const logits = throughBlocks(g, weights, config, { ids, rotaries, positions }, attentionOf, () => {});
  g.output(g.reshape(logits, ["m", vocabSize]), "logits");
}

/** A cache that a graph grows where it lies. */
export interface GrowingCache {
  readonly name: string;
  readonly past: { readonly key: Value; readonly value: Value };
  /** int32 `[1]`: tokens with the new ones, and one less. */
  readonly lengths: { readonly total: Value; readonly last: Value };
}

/** Such caches as inputs of a graph, by name in it, place in `lengths` `[count]` and heads. */
export function growingCaches(g: GraphBuilder, lengths: Value, count: number, headDim: number): (name: string, index: number, heads: number) => GrowingCache {
  const apart = (x: Value) => (count === 1 ? [x] : g.splitEvenly(x, 0, count, () => 1));
  const [total, last] = [apart(lengths), apart(g.sub(lengths, 1))];
  return (name, index, heads) => {
    const input = (part: string) => g.input(`past_${part}.${name}`, "float32", [1, heads, `capacity.${name}`, headDim]);
    return { name, past: { key: input("key"), value: input("value") }, lengths: { total: total[index]!, last: last[index]! } };
  };
}

/** How new tokens' attention over such a cache is computed where they are many. */
export interface ManyTokens {
  /** Tile by tile; else all their scores are there at a time. */
  readonly tiled: boolean;
  /** Counted in places of the cache; null: none. */
  readonly window: number | null;
}

/** @param many absent: they are few */
export function growing({ heads, kvHeads, headDim, attentionScale, attentionSoftcap: softcap }: ModelConfig, { name, past, lengths }: GrowingCache, many?: ManyTokens): Attention {
  return (g, { q, k, v, sinks }) => {
    const settings = { heads, kvHeads, headDim, softcap, past, present: past.key.shape[2]!, lengths, sinks: sinks ?? null };
    // With a factor in the product, or in tiles, ONNX Runtime does not take the matrix-vector products that are fastest for one token.
    const [output, key, value] = many ? g.groupQueryAttention(q, k, v, { ...settings, scale: attentionScale, ...many }) : g.groupQueryAttention(g.scale(q, attentionScale), k, v, { ...settings, scale: 1, tiled: false });
    g.output(key, `key.${name}`);
    g.output(value, `value.${name}`);
    return { output, key, value };
  };
}

/** Each head with the queries that share it apart. The keys and values that it gives are those of the first. */
function byHead({ heads, kvHeads, headDim }: ModelConfig, each: readonly Attention[]): Attention {
  const group = heads / kvHeads;
  return (g, { q, k, v, sinks }, layer) => {
    const results = each.map((attention, head) => {
      const part = (x: Value, size: number) => g.slice(x, x.rank - 1, head * size, (head + 1) * size);
      return attention(g, { q: part(q, group * headDim), k: part(k, headDim), v: part(v, headDim), sinks: sinks ? part(sinks, group) : null }, layer);
    });
    return { ...results[0]!, output: g.concat(results.map(({ output }) => output), 2) };
  };
}
