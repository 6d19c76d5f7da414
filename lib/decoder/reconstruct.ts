import type { KvDtype } from "../checkpoint/kv-dtype.js";
import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import { attend, causalBias, splitHeads, type Attention } from "./attention.js";
import { block } from "./block.js";
import { cachedInput, type CachedInput } from "./cache-input.js";
import { embed } from "./head.js";
import { layerRotary, rotaryInputs } from "./positions.js";
import type { Weights } from "./weights.js";

/**
 * A part of a prompt repeated on top of the prompt's whole cache, `m` tokens: what of that part's own first keys the repetition looks at (KVzip, arXiv:2505.23416).
 * Inputs: `ids`, `positions`, rotary rows, and the cache as in `decodeGraph`; `sinks` `[1]` int64, and for each layer L `from.L` and `to.L` `[1]`: the slots of its first tokens, and of the part.
 * Outputs: for each layer `scores.L` `[kvHeads, to_L - from_L]`: over the sinks, the part and the new tokens, each query's softmax; of that the largest over queries and the heads
 * that share a key.
 * @param chunks groups of new tokens whose scores are in memory one after the other
 */
export function reconstructGraph(g: GraphBuilder, weights: Weights, config: ModelConfig, { kvDtype, chunks }: { kvDtype: KvDtype; chunks: number }): void {
  const ids = g.input("ids", "int64", [1, "m"]);
  const rotaries = rotaryInputs(g, config, "m");
  const positions = g.input("positions", "int64", ["m"]);
  const sinks = g.input("sinks", "int64", [1]);
  let hidden = embed(g, weights, config, ids, positions);
  for (let layer = 0; layer < config.layers; layer++) {
    hidden = block(g, weights, config, layer, hidden, layerRotary(config, rotaries, layer), repeated(config, { positions, sinks, kvDtype, chunks })).hidden;
  }
}

interface Repeating {
  readonly positions: Value;
  readonly sinks: Value;
  readonly kvDtype: KvDtype;
  readonly chunks: number;
}

/** Attention over the cache and the new tokens, with a layer's scores as an output. */
function repeated(config: ModelConfig, { positions, sinks, kvDtype, chunks }: Repeating): Attention {
  return (g, projections, layer) => {
    const capacity = `capacity.${layer}`;
    const past = (name: string) => widened(g, cachedInput(g, name, layer, kvDtype, config, capacity), config);
    const [pastKey, pastValue] = [past("past_key"), past("past_value")];
    const bias = g.input(`bias.${layer}`, "float32", [1, capacity]);
    const [from, to] = [g.input(`from.${layer}`, "int64", [1]), g.input(`to.${layer}`, "int64", [1])];
    const { q, key, value } = splitHeads(g, config, projections);
    const [allKeys, allValues] = [g.concat([pastKey, key], 2, `${capacity}+m`), g.concat([pastValue, value], 2, `${capacity}+m`)];
    const before = g.concat([slots(g, pastKey, g.constant("int64", [0]), sinks, "sinks"), slots(g, pastKey, from, to, `part.${layer}`)], 2, `before.${layer}`);
    const fewKeys = g.concat([before, key], 2, `few.${layer}`);
    // All of them stood before the new tokens: any numbers below theirs will do as positions.
    const fewPositions = g.concat([g.range(`before.${layer}`), positions], 0, `few.${layer}`);
    const size = (chunk: number) => `m/${chunks}.${chunk}`;
    const [queries, places] = chunks === 1 ? [[q], [positions]] : [g.splitEvenly(q, 3, chunks, size), g.splitEvenly(positions, 0, chunks, size)];
    const parts = queries.map((some, chunk) => {
      const own = causalBias(g, places[chunk]!, positions, null);
      const whole = g.concat([g.expand(bias, [own.shape[0]!, capacity]), own], 1, `${capacity}+m`);
      const looked = attend(g, config, some, fewKeys, fewKeys, causalBias(g, places[chunk]!, fewPositions, null)).weights;
      return { output: attend(g, config, some, allKeys, allValues, whole, projections.sinks ?? null).output, most: g.reduceMax(looked, [0, 2, 3]) };
    });
    const most = parts.map((part) => part.most).reduce((a, b) => g.max(a, b));
    g.output(g.node("Slice", [most, sinks, g.dim(`before.${layer}`), g.constant("int64", [1])], [{ dtype: "float32", shape: [config.kvHeads, `part.${layer}`] }])[0]!, `scores.${layer}`);
    return { output: chunks === 1 ? parts[0]!.output : g.concat(parts.map(({ output }) => output), 1, "m"), key, value };
  };
}

/** Keys in slots `start … end`. */
function slots(g: GraphBuilder, keys: Value, start: Value, end: Value, size: string): Value {
  return g.node("Slice", [keys, start, end, g.constant("int64", [2])], [{ dtype: keys.dtype, shape: keys.shape.map((dim, i) => (i === 2 ? size : dim)) }])[0]!;
}

/** Cached keys or values with their scales taken in, `[1, kvHeads, capacity, headDim]`. */
function widened(g: GraphBuilder, { elements, scale }: CachedInput, { kvHeads, headDim }: ModelConfig): Value {
  const capacity = elements.shape[3]!;
  const whole = g.reshape(elements, [1, kvHeads, capacity, headDim]);
  return scale ? g.mul(whole, g.reshape(scale, [1, kvHeads, capacity, 1])) : whole;
}
