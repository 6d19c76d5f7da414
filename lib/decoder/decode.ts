import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import { softmaxWithSinks, type Attention } from "./attention.js";
import { block, type BlockResult } from "./block.js";
import type { KvDtype } from "../checkpoint/kv-dtype.js";
import { cachedInput, type CachedInput } from "./cache-input.js";
import { outputFinite, outputFiniteBlock } from "./finite.js";
import { embed, head, softcap } from "./head.js";
import { layerWindow } from "../checkpoint/sliding-window.js";
import { alibi, layerRotary, rotaryInputs, type Rotaries } from "./positions.js";
import type { Weights } from "./weights.js";

export interface DecodeOptions {
  /** Give what each token pays as well. */
  readonly attention?: boolean;
  /** Tells of each activation whether it is finite, in `finite.NAME` (see `outputFinite`). */
  readonly finite?: boolean;
  /** What the cache holds keys and values in. */
  readonly kvDtype?: KvDtype;
  /** Each head has a cache of its own length. Not with `attention`. */
  readonly ragged?: boolean;
}

/** A layer's cache. */
export interface Past {
  readonly key: CachedInput;
  readonly value: CachedInput;
  readonly bias: Value;
  readonly slots: Value | null;
}

/**
 * `m` further tokens on top of a cache that stays outside the graph: attention looks at `past` and at the new
 * tokens without joining them, and only the new keys and values come out.
 * Inputs: `ids` `[1, m]` int64; `positions` `[m]` int64; with rotary positions `cos`, `sin` for them (see `rotaryInputs`); for each layer L `past_key.L` and
 * `past_value.L` `[1, kvHeads, 1, capacity_L, headDim]` (with int8 `past_key_scale.L`, `past_value_scale.L` too, see `cachedInput`) and `bias.L` `[1 or m, capacity_L]`, added to the scores
 * (0 where a slot may be seen, -inf where it is empty or out of the window), with ALiBi `slots.L` `[capacity_L]` int32, the
 * slots' positions; with `ragged` the same of each head apart, as layer `L.H` of one head; `self_bias` `[m, m]`, the same among
 * the new tokens, and `self_bias.unlimited` where only some blocks have a window.
 * Outputs: `logits` `[m, vocabulary]`; `key.L`, `value.L` `[1, kvHeads, 1, m, headDim]`; with `attention`, for each layer
 * `attention.L` `[kvHeads, m, capacity_L + m]`: what each new token pays to each slot and to each new token, the mean over the queries that share a head;
 * and `query.L` `[1, m, heads * headDim]`, after rotary embedding.
 */
export function decodeGraph(g: GraphBuilder, weights: Weights, config: ModelConfig, { attention = false, finite = false, kvDtype = "fp32", ragged = false }: DecodeOptions = {}): void {
  const selfBias = g.input("self_bias", "float32", ["m", "m"]);
  const unlimited = config.fullLayers.length > 0 ? g.input("self_bias.unlimited", "float32", ["m", "m"]) : selfBias;
  decodeBlocks(g, weights, config, { attention, finite }, (layer, positions) => {
    const self = layerWindow(config, layer) === config.slidingWindow ? selfBias : unlimited;
    return layerAttention(g, config, String(layer), { kvDtype, ragged }, positions, self);
  });
}

/** Attention of a layer over the cache that inputs of the graph give. @param name of the layer in those inputs */
export function layerAttention(g: GraphBuilder, config: ModelConfig, name: string, { kvDtype, ragged }: Required<Pick<DecodeOptions, "kvDtype" | "ragged">>, positions: Value, selfBias: Value): Attention {
  const pastOf = (part: string, of: ModelConfig): Past => ({
    key: cachedInput(g, "past_key", part, kvDtype, of, `capacity.${part}`),
    value: cachedInput(g, "past_value", part, kvDtype, of, `capacity.${part}`),
    bias: g.input(`bias.${part}`, "float32", [`bias_rows.${part}`, `capacity.${part}`]),
    slots: config.positions === "alibi" ? g.input(`slots.${part}`, "int32", [`capacity.${part}`]) : null,
  });
  if (!ragged) return cachedAttention(config, pastOf(name, config), positions, selfBias);
  const one = { ...config, heads: config.heads / config.kvHeads, kvHeads: 1 };
  return headByHead(config, Array.from({ length: config.kvHeads }, (_, head) => cachedAttention(one, pastOf(`${name}.${head}`, one), positions, selfBias)));
}

/** Attention of each head apart, over a cache of its own. @param heads each for one key/value head and the queries that share it */
function headByHead({ heads, kvHeads, headDim }: ModelConfig, each: readonly Attention[]): Attention {
  const width = (heads / kvHeads) * headDim;
  return (g, { q, k, v, sinks }, layer) => {
    const results = each.map((attention, head) => {
      const part = (x: Value, size: number) => g.slice(x, x.rank - 1, head * size, (head + 1) * size);
      return attention(g, { q: part(q, width), k: part(k, headDim), v: part(v, headDim), sinks: sinks ? part(sinks, heads / kvHeads) : null }, layer);
    });
    const together = (of: (result: (typeof results)[number]) => Value, axis: number) => g.concat(results.map(of), axis);
    return { output: together(({ output }) => output, 2), key: together(({ key }) => key, 1), value: together(({ value }) => value, 1) };
  };
}

/**
 * All blocks on new tokens, each with an attention of its own, with the inputs and outputs that decode graphs have in common:
 * `ids`, `positions`, `cos`, `sin`; `logits`, `key.L`, `value.L` and `attention.L`.
 * @param attentionOf the attention of a layer, given the new tokens' positions `[m]` int64
 */
export function decodeBlocks(g: GraphBuilder, weights: Weights, config: ModelConfig, { attention = false, finite = false }: Pick<DecodeOptions, "attention" | "finite">, attentionOf: (layer: number, positions: Value) => Attention): void {
  const ids = g.input("ids", "int64", [1, "m"]);
  const rotaries = rotaryInputs(g, config, "m");
  const positions = g.input("positions", "int64", ["m"]);
  const logits = throughBlocks(g, weights, config, { ids, rotaries, positions }, attentionOf, (layer, result) => {
    g.output(result.key, `key.${layer}`);
    g.output(result.value, `value.${layer}`);
    if (finite) outputFiniteBlock(g, layer, result);
    if (!attention) return;
    g.output(g.cast(result.queries, "float32"), `query.${layer}`);
    g.output(g.reduceMean(result.inside["attention.weights"]!, [0, 2]), `attention.${layer}`);
  }, (embedded) => {
    if (finite) outputFinite(g, "embedding", embedded, 1);
  });
  g.output(g.reshape(logits, ["m", config.vocabSize]), "logits");
}

/** Tokens to be decoded: `ids` `[1, m]` and `positions` `[m]` int64, and their rotary rows. */
export interface NewTokens {
  readonly ids: Value;
  readonly rotaries: Rotaries;
  readonly positions: Value;
}

/** Logits `[1, m, vocabulary]` of new tokens. @param onBlock given what each block has made @param onEmbedded given the hidden states before the first */
export function throughBlocks(g: GraphBuilder, weights: Weights, config: ModelConfig, tokens: NewTokens, attentionOf: (layer: number, positions: Value) => Attention, onBlock: (layer: number, result: BlockResult) => void, onEmbedded: (hidden: Value) => void = () => {}): Value {
  return head(g, weights, config, hiddenStates(g, weights, config, tokens, attentionOf, onBlock, onEmbedded));
}

/** As `throughBlocks`, the hidden states `[1, m, d]` after the last block. */
export function hiddenStates(g: GraphBuilder, weights: Weights, config: ModelConfig, { ids, rotaries, positions }: NewTokens, attentionOf: (layer: number, positions: Value) => Attention, onBlock: (layer: number, result: BlockResult) => void, onEmbedded: (hidden: Value) => void = () => {}): Value {
  let hidden = embed(g, weights, config, ids, positions);
  onEmbedded(hidden);
  for (let layer = 0; layer < config.layers; layer++) {
    const result = block(g, weights, config, layer, hidden, layerRotary(config, rotaries, layer), attentionOf(layer, positions));
    hidden = result.hidden;
    onBlock(layer, result);
  }
  return hidden;
}

/** Attention over cached keys and values and the new tokens' own. All of it has an axis for the queries that share a head: no node does nothing but change a shape. */
export function cachedAttention(config: ModelConfig, past: Past, positions: Value, selfBias: Value): Attention {
  const { heads, kvHeads, headDim } = config;
  const group = heads / kvHeads;
  return (g, { q, k, v, sinks }) => {
    const m = q.shape[1]!;
    const split = (x: Value, sharing: number) => g.transpose(g.reshape(x, [1, m, kvHeads, sharing, headDim]), [0, 2, 3, 1, 4]);
    const [key, value] = [split(k, 1), split(v, 1)];
    // One product for each query head, and no factor in it: with one new token ONNX Runtime then takes matrix-vector products, which
    // read the cache as it lies. Rows of a group in one product would have it copied into another order first.
    const query = split(g.scale(q, config.attentionScale), group);
    const scaled = (x: Value, scale: Value | null) => (scale ? g.mul(x, scale) : x);
    const product = (x: Value, y: Value, transB: boolean) => g.cast(g.matmul(g.cast(x, y.dtype), y, { transB }), "float32");
    const scores = ({ elements, scale }: CachedInput, bias: Value, at: Value | null) => {
      // A scale for each token is a scale for each product: the elements need not be multiplied one by one.
      const products = scaled(product(query, elements, true), scale);
      // In this order the sum has the products' rows: of the mask there may be one for all.
      const masked = g.add(bias, softcap(g, products, config.attentionSoftcap));
      return at ? g.add(masked, alibi(g, config, positions, at)) : masked;
    };
    const before = scores(past.key, past.bias, past.slots && g.cast(past.slots, "int64"));
    const own = scores({ elements: key, scale: null }, selfBias, past.slots && positions);
    const capacity = past.key.elements.shape[3]!;
    const all = g.concat([before, own], 4, `${capacity}+${m}`);
    const weights = sinks ? softmaxWithSinks(g, all, g.reshape(sinks, [1, kvHeads, group, 1, 1])) : g.softmax(all);
    const [onPast, onSelf] = g.splitAt(weights, 4, capacity, m);
    const mixed = g.add(product(scaled(onPast, past.value.scale), past.value.elements, false), product(onSelf, value, false));
    return { output: g.reshape(g.transpose(g.cast(mixed, q.dtype), [0, 3, 1, 2, 4]), [1, m, heads * headDim]), key, value, weights };
  };
}
