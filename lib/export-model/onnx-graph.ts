import type { ModelConfig } from "../checkpoint/types.js";
import { attend, splitHeads, type Attention } from "../decoder/attention.js";
import { block } from "../decoder/block.js";
import { embed, head } from "../decoder/head.js";
import { layerWindow } from "../checkpoint/sliding-window.js";
import { alibi, layerRotary, rotaryLayout } from "../decoder/positions.js";
import { ropeSets } from "../decoder/rotary.js";
import type { Weights } from "../decoder/weights.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";

/** Where a weight's bytes lie beside the graph. */
export interface ExternalWeight {
  readonly name: string;
  readonly dtype: "F32" | "F16";
  readonly shape: readonly number[];
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** Added where a query may not look. Finite: a row of padding that may look nowhere stays a number. */
const NEVER = -1e30;
const [BATCH, NEW, PAST, TOTAL] = ["batch_size", "sequence_length", "past_sequence_length", "total_sequence_length"] as const;

/**
 * A decoder as Optimum exports it and transformers.js runs it, nothing pruned. In standard ONNX but for norms and rotary embedding.
 * Inputs: `input_ids` `[b, n]`, `attention_mask` `[b, past + n]` (0: padding), `position_ids` `[b, n]` where positions are rotary or
 * learned, `num_logits_to_keep` (scalar; 0: all), all int64; for each layer L `past_key_values.L.key` and `.value` `[b, kvHeads, past, headDim]`.
 * Outputs: `logits` `[b, n or what was asked for, vocabulary]`; `present.L.key` and `.value` `[b, kvHeads, past + n, headDim]`.
 * @param weights by llama's names, and `cos` and `sin` `[positions, rotaryDim / 2]` of each set of frequencies
 */
export function generationGraph(g: GraphBuilder, config: ModelConfig, weights: ReadonlyMap<string, ExternalWeight>): void {
  const external = externalWeights(g, weights);
  const ids = g.input("input_ids", "int64", [BATCH, NEW]);
  const mask = g.input("attention_mask", "int64", [BATCH, TOTAL]);
  const positions = config.positions === "alibi" ? null : g.input("position_ids", "int64", [BATCH, NEW]);
  const keep = g.input("num_logits_to_keep", "int64", []);
  const past = Array.from({ length: config.layers }, (_, layer) => ({
    key: g.input(`past_key_values.${layer}.key`, "float32", [BATCH, config.kvHeads, PAST, config.headDim]),
    value: g.input(`past_key_values.${layer}.value`, "float32", [BATCH, config.kvHeads, PAST, config.headDim]),
  }));
  const keys = g.range(TOTAL);
  const queries = g.add(g.range(NEW), g.dim(PAST));
  const bias = once((window: number | null) => scoreBias(g, config, mask, queries, keys, window));
  const rotaries = ropeSets(config).map(({ suffix }) => ({ cos: external.find(`cos${suffix}`)!, sin: external.find(`sin${suffix}`)! }));
  const turned = (x: Value, layer: number, heads: number) => {
    const rotary = layerRotary(config, rotaries, layer);
    return rotary ? g.rotary(x, rotary.cos, rotary.sin, rotaryLayout(config, heads), positions) : x;
  };
  const attention: Attention = (b, { q, k, v, sinks }, layer) => {
    const own = splitHeads(b, config, { q: turned(q, layer, config.heads), k: turned(k, layer, config.kvHeads), v });
    const join = (before: Value, added: Value) => b.concat([before, added], 2, TOTAL);
    const [key, value] = [join(past[layer]!.key, own.key), join(past[layer]!.value, own.value)];
    return { ...attend(b, config, own.q, key, value, bias(layerWindow(config, layer)), sinks), key, value };
  };

  let hidden = embed(g, external, config, ids, positions ?? queries);
  for (let layer = 0; layer < config.layers; layer++) {
    // Queries and keys are turned in `attention`: each sequence of the batch has positions of its own.
    const result = block(g, external, config, layer, hidden, null, attention);
    hidden = result.hidden;
    g.output(result.key, `present.${layer}.key`);
    g.output(result.value, `present.${layer}.value`);
  }
  g.output(head(g, external, config, last(g, hidden, keep)), "logits");
}

/** The last `keep` tokens of each sequence, or all of them with 0. */
function last(g: GraphBuilder, hidden: Value, keep: Value): Value {
  const start = g.where(g.equal(keep, 0), 0, g.neg(keep));
  const bound = (value: Value) => g.reshape(value, [1]);
  return g.node("Slice", [hidden, bound(start), g.constant("int64", [Number.MAX_SAFE_INTEGER]), g.constant("int64", [1])],
    [{ dtype: hidden.dtype, shape: [BATCH, "kept_length", hidden.shape[2]!] }])[0]!;
}

/** `[b, 1, 1, n, past + n]`, or `[b, kvHeads, group, n, past + n]` with ALiBi: what is added to the scores. */
function scoreBias(g: GraphBuilder, config: ModelConfig, mask: Value, queries: Value, keys: Value, window: number | null): Value {
  const distance = g.sub(g.reshape(queries, [NEW, 1]), g.reshape(keys, [1, TOTAL]));
  const causal = g.greaterOrEqual(distance, 0);
  const near = window === null ? causal : g.and(causal, g.less(distance, window));
  const real = g.reshape(g.not(g.equal(mask, 0)), [BATCH, 1, 1, 1, TOTAL]);
  const bias = g.where(g.and(g.reshape(near, [1, 1, 1, NEW, TOTAL]), real), 0, NEVER);
  return config.positions === "alibi" ? g.add(bias, alibi(g, config, queries, keys)) : bias;
}

function externalWeights(g: GraphBuilder, weights: ReadonlyMap<string, ExternalWeight>): Weights {
  const stored = once((name: string) => {
    const { dtype, shape, location, offset, length } = weights.get(name)!;
    return g.external(name, dtype === "F16" ? "float16" : "float32", shape, location, offset, length);
  });
  const dense = once((name: string) => g.cast(stored(name), "float32"));
  return {
    has: (name) => weights.has(name),
    find: (name) => (weights.has(name) ? dense(name) : null),
    product: (name, x) => g.linear(x, dense(name)),
    // Cast after the rows are taken: the whole table is not held twice.
    rows: (name, indices) => g.cast(g.gather(stored(name), indices), "float32"),
    blocks: () => null,
    raw: () => null,
  };
}

/** Each result made once. */
function once<Key, Result>(make: (key: Key) => Result): (key: Key) => Result {
  const known = new Map<Key, Result>();
  return (key) => {
    if (!known.has(key)) known.set(key, make(key));
    return known.get(key)!;
  };
}
