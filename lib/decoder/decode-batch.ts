import type { KvDtype } from "../checkpoint/kv-dtype.js";
import { layerWindow } from "../checkpoint/sliding-window.js";
import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import type { Attention } from "./attention.js";
import { hiddenStates, layerAttention } from "./decode.js";
import { head, softcap } from "./head.js";
import { rotaryInputs } from "./positions.js";
import type { Weights } from "./weights.js";

export interface BatchOptions {
  /** Sequences that a run is of at most: 1, 2, 4, 8, … */
  readonly slots: number;
  readonly kvDtype: KvDtype;
}

/** Slots after the first come in groups that are computed, or not, as a whole. */
export interface SlotGroup {
  readonly name: string;
  readonly slots: readonly number[];
}

/** The slots after the first: 1, then 2 and 3, then 4 to 7, …: fewer than half of those computed are ever idle. */
export function slotGroups(slots: number): SlotGroup[] {
  const groups: SlotGroup[] = [];
  for (let first = 1; first < slots; first *= 2) groups.push({ name: `from${first}`, slots: Array.from({ length: Math.min(first, slots - first) }, (_, i) => first + i) });
  return groups;
}

/** Whether a model's sequences can be decoded together: not with ALiBi. */
export const batches = ({ positions }: Pick<ModelConfig, "positions">): boolean => positions !== "alibi";

/**
 * Further tokens of up to `slots` sequences in one run over one copy of the weights: every product with a weight is of the rows of all sequences
 * together, attention is of each sequence apart, over a cache of its own length. The first slot takes any number of tokens, as `decodeGraph`
 * does; each of the others one.
 *
 * Inputs: `ids` `[1, m]`, `positions` `[m]` int64 and rotary rows of all tokens, those of the first slot first; `order` `[m]` int64, 0 … m - 1;
 * `wanted` `[w]` int64, rows whose logits are asked for; of the first slot `rows.first` `[m.first]` int64 (its rows), `self_bias` (and
 * `self_bias.unlimited`) and for each layer L `past_key.L`, `past_value.L`, `bias.L` as in `decodeGraph`; of each group G of others (see
 * `slotGroups`) `active.G` bool and `rows.G` int64, the row of each of its slots (of an idle one any); of each slot S of them and each layer L
 * the same as layer `L@S`, with `bias.L@S` `[1, capacity]`.
 * Outputs: `logits` `[w, vocabulary]`; `key.L`, `value.L` `[1, kvHeads, m, headDim]`, rows of all sequences.
 */
export function batchGraph(g: GraphBuilder, weights: Weights, config: ModelConfig, { slots, kvDtype }: BatchOptions): void {
  const { kvHeads, headDim } = config;
  const ids = g.input("ids", "int64", [1, "m"]);
  const rotaries = rotaryInputs(g, config, "m");
  const positions = g.input("positions", "int64", ["m"]);
  const order = g.input("order", "int64", ["m"]);
  const wanted = g.input("wanted", "int64", ["w"]);
  const firstRows = g.input("rows.first", "int64", ["m.first"]);
  const selfBias = g.input("self_bias", "float32", ["m.first", "m.first"]);
  const unlimited = config.fullLayers.length > 0 ? g.input("self_bias.unlimited", "float32", ["m.first", "m.first"]) : selfBias;
  const groups = slotGroups(slots).map((group) => ({ ...group, active: g.input(`active.${group.name}`, "bool", [1]), rows: g.input(`rows.${group.name}`, "int64", [group.slots.length]) }));

  const attentionOf = (layer: number): Attention => {
    const self = layerWindow(config, layer) === config.slidingWindow ? selfBias : unlimited;
    const first = layerAttention(g, config, String(layer), { kvDtype, ragged: false }, positions, self);
    const pasts = groups.map((group) => group.slots.map((slot) => pastInput(g, config, `${layer}@${slot}`, kvDtype)));
    return (_, { q, k, v, sinks = null }) => {
      const own = (x: Value) => g.gather(x, firstRows, 1);
      const { output } = first(g, { q: own(q), k: own(k), v: own(v), sinks }, layer);
      const heads = (x: Value) => g.reshape(x, ["m", kvHeads, 1, 1, headDim]);
      const all = { q: g.reshape(g.scale(q, config.attentionScale), ["m", kvHeads, config.heads / kvHeads, 1, headDim]), k: heads(k), v: heads(v), sinks };
      const others = groups.map(({ name, slots: { length }, active, rows }, i) => g.choose(active, `block.${layer}.${name}`,
        (body) => oneTokenEach(body, config, { q: body.gather(all.q, rows), k: body.gather(all.k, rows), v: body.gather(all.v, rows), sinks }, pasts[i]!),
        (body) => body.constant("float32", new Float32Array(length * config.heads * headDim), [1, length, config.heads * headDim])));
      const byHead = (x: Value) => g.transpose(g.reshape(x, [1, "m", kvHeads, headDim]), [0, 2, 1, 3]);
      // Idle slots stand last, or among groups that were not computed: the rows asked for are those before them.
      return { output: g.gather(g.concat([output, ...others], 1, "m+idle"), order, 1), key: byHead(k), value: byHead(v) };
    };
  };
  const hidden = hiddenStates(g, weights, config, { ids, rotaries, positions }, attentionOf, (layer, { key, value }) => {
    g.output(key, `key.${layer}`);
    g.output(value, `value.${layer}`);
  });
  g.output(g.reshape(head(g, weights, config, g.gather(hidden, wanted, 1)), ["w", config.vocabSize]), "logits");
}

/** What one slot's cache gives to a layer. */
interface SlotPast {
  readonly key: Value;
  readonly value: Value;
  readonly keyScale: Value | null;
  readonly valueScale: Value | null;
  readonly bias: Value;
}

function pastInput(g: GraphBuilder, { kvHeads, headDim }: ModelConfig, name: string, kvDtype: KvDtype): SlotPast {
  const capacity = `capacity.${name}`;
  const elements = (part: string) => g.input(`${part}.${name}`, kvDtype === "fp32" ? "float32" : kvDtype === "fp16" ? "float16" : "int8", [1, kvHeads, 1, capacity, headDim]);
  const scale = (part: string) => (kvDtype === "int8" ? g.input(`${part}_scale.${name}`, "float32", [1, kvHeads, 1, 1, capacity]) : null);
  return { key: elements("past_key"), value: elements("past_value"), keyScale: scale("past_key"), valueScale: scale("past_value"), bias: g.input(`bias.${name}`, "float32", [1, capacity]) };
}

/**
 * Attention of one new token of each of several sequences.
 * @param all `q` `[s, kvHeads, group, 1, headDim]`, scaled; `k`, `v` `[s, kvHeads, 1, 1, headDim]` @returns `[1, s, heads * headDim]`
 */
function oneTokenEach(g: GraphBuilder, config: ModelConfig, { q, k, v, sinks }: { q: Value; k: Value; v: Value; sinks: Value | null }, pasts: readonly SlotPast[]): Value {
  const { heads, kvHeads, headDim } = config;
  const group = heads / kvHeads;
  const count = pasts.length;
  const apart = (x: Value) => (count === 1 ? [x] : g.splitEvenly(x, 0, count, () => 1));
  const capped = (x: Value) => softcap(g, x, config.attentionSoftcap);
  const own = apart(capped(g.matmul(q, k, { transB: true })));
  const sink = sinks && g.reshape(sinks, [1, kvHeads, group, 1, 1]);
  const results = apart(q).map((query, i) => {
    const { key, value, keyScale, valueScale, bias } = pasts[i]!;
    const capacity = key.shape[3]!;
    const products = g.matmul(query, g.cast(key, "float32"), { transB: true });
    const before = g.add(capped(keyScale ? g.mul(products, keyScale) : products), bias);
    const paid = g.softmax(g.concat([before, own[i]!, ...(sink ? [sink] : [])], 4, `${capacity}+own`));
    const onPast = g.slice(paid, 4, 0, sink ? -2 : -1, capacity);
    const mixed = g.matmul(valueScale ? g.mul(onPast, valueScale) : onPast, g.cast(value, "float32"));
    return { mixed, onSelf: sink ? g.slice(paid, 4, -2, -1, 1) : g.last(paid, 4) };
  });
  const together = (of: (result: (typeof results)[number]) => Value) => (count === 1 ? of(results[0]!) : g.concat(results.map(of), 0));
  const output = g.add(together(({ mixed }) => mixed), g.mul(together(({ onSelf }) => onSelf), v));
  return g.reshape(output, [1, count, heads * headDim]);
}
