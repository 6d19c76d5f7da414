import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import { attend, scoreBias, splitHeads, type Attention } from "./attention.js";
import { decodeBlocks } from "./decode.js";
import type { Weights } from "./weights.js";

export interface DeviceDecodeOptions {
  /** `fused`: ONNX Runtime's, for one token that sees all of the cache. `plain`: any mask, attention weights readable. */
  readonly kind: "fused" | "plain";
  /** Plain attention only: the scores depend on positions (several new tokens, a sliding window, ALiBi). */
  readonly masked: boolean;
  /** Plain attention only: give the attention weights too. */
  readonly attention?: boolean;
}

/**
 * `m` further tokens on top of a cache that stays on a device: the graph returns the cache grown by them, so that no
 * key or value crosses to the host.
 * Inputs: `ids` `[1, m]` and `positions` `[m]` int64; with rotary positions `cos`, `sin` (see `rotaryInputs`); for each layer L
 * `past_key.L`, `past_value.L` `[1, kvHeads, length_L, headDim]`, as the graph's activations, and, where masked, `slots.L` `[length_L + m]` int64, the
 * positions of the tokens held and then of the new ones.
 * Outputs: `logits` `[m, vocabulary]`; `key.L`, `value.L` `[1, kvHeads, length_L + m, headDim]`; with `attention`
 * `attention.L` `[kvHeads, m, length_L + m]`, the mean over the queries that share a head.
 */
export function deviceDecodeGraph(g: GraphBuilder, weights: Weights, config: ModelConfig, { kind, masked, attention = false }: DeviceDecodeOptions): void {
  const { kvHeads, headDim } = config;
  if (kind === "fused" && (masked || attention)) throw new Error("decode: fused attention takes no mask and shows no weights");
  decodeBlocks(g, weights, config, { attention }, (layer, positions) => {
    const cache = (name: string) => g.input(`${name}.${layer}`, g.floats, [1, kvHeads, `length.${layer}`, headDim]);
    const past = { key: cache("past_key"), value: cache("past_value") };
    if (kind === "fused") return fusedGrowing(config, past);
    const slots = masked ? g.input(`slots.${layer}`, "int64", [`length.${layer}+m`]) : null;
    return plainGrowing(config, past, slots && scoreBias(g, config, layer, positions, slots));
  });
}

/** Keys and values held by a layer, `[1, kvHeads, length, headDim]`. */
export interface Past {
  readonly key: Value;
  readonly value: Value;
}

function fusedGrowing(config: ModelConfig, past: Past): Attention {
  const { heads, kvHeads, headDim, attentionScale: scale, attentionSoftcap: softcap } = config;
  return (g, { q, k, v, sinks }) => {
    const [output, key, value] = g.groupQueryAttention(q, k, v, { heads, kvHeads, headDim, scale, softcap, past, sinks: sinks ?? null });
    return { output, key, value };
  };
}

/** Attention of new tokens over a cache that is given back grown by them. */
export function plainGrowing(config: ModelConfig, past: Past, bias: Value | null): Attention {
  return (g, projections) => {
    const { q, key: newKey, value: newValue } = splitHeads(g, config, projections);
    const total = `${past.key.shape[2]}+m`;
    const key = g.concat([past.key, newKey], 2, total);
    const value = g.concat([past.value, newValue], 2, total);
    return { ...attend(g, config, q, key, value, bias, projections.sinks), key, value };
  };
}
