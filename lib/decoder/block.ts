import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import type { BlockActivation } from "../methods/plan/activations.js";
import type { Attended, Attention, Projections } from "./attention.js";
import { experts } from "./experts.js";
import { mlp } from "./mlp.js";
import { headNorm, norm } from "./norm.js";
import { rotaryLayout, type Rotary } from "./positions.js";
import { projection } from "./projection.js";
import { blockWeight, required, type Weights } from "./weights.js";

/** What a block gives: `hidden` `[b, n, d]`, float32, the layer's queries (after rotary embedding), keys and values. */
export interface BlockResult extends Pick<Attended, "key" | "value"> {
  readonly hidden: Value;
  readonly queries: Value;
  /** The same before rotary embedding. */
  readonly unturned: Value;
  /** The layer's attention sinks (see `Projections`). */
  readonly sinks: Value | null;
  /** Values inside the block that can be captured, by the last part of their name. Naming them adds no node. */
  readonly inside: Readonly<Partial<Record<BlockActivation, Value>>>;
}

/** Which tokens' hidden states a block computes: all, or those of so many at the end, n being that many then in all but `key` and `value`. */
export type BlockTokens = "all" | number;

/** One transformer block on `x` `[b, n, d]`, float32. */
export function block(
  g: GraphBuilder,
  weights: Weights,
  config: ModelConfig,
  layer: number,
  x: Value,
  rotary: Rotary | null,
  attention: Attention,
  tokens: BlockTokens = "all",
): BlockResult {
  const normOf = (name: string, y: Value) => norm(g, weights, config, blockWeight(layer, name), y);
  const normed = config.inputNorms ? normOf("input_layernorm", x) : g.cast(x, g.floats);
  const wanted = (y: Value, axis: number) => (tokens === "all" ? y : tokens === 1 ? g.last(y, axis) : g.slice(y, axis, -tokens, Number.MAX_SAFE_INTEGER, `last.${layer}`));
  const queried = { normed: wanted(normed, 1), rotary: rotary && { cos: wanted(rotary.cos, 0), sin: wanted(rotary.sin, 0) } };
  const unturned = normedHeads(g, weights, config, layer, projection(g, weights, layer, "self_attn.q_proj", queried.normed), { norm: "q_norm", heads: config.heads });
  const projections: Projections = { q: turned(g, config, unturned, config.heads, queried.rotary), ...keyAndValue(g, weights, config, layer, normed, rotary), sinks: config.attentionSinks ? required(weights, blockWeight(layer, "self_attn.sinks.weight")) : null };
  const { output, key, value, scores, weights: paid } = attention(g, projections, layer);
  const mixed = projection(g, weights, layer, "self_attn.o_proj", output);
  const scaled = (y: Value) => (config.residualScale === 1 ? y : g.mul(y, config.residualScale));
  // The names are the checkpoints' own: where outputs have norms, "post attention" is one of them.
  const attentionOutput = scaled(config.outputNorms ? normOf("post_attention_layernorm", mixed) : mixed);
  // What blocks add to is float32: in some models it grows beyond what 16 bits hold, and sums of many blocks would be rounded each time.
  const onto = (hidden: Value, y: Value) => g.add(hidden, g.cast(y, "float32"));
  const attended = onto(wanted(x, 1), attentionOutput);
  const mlpNorm = config.outputNorms ? "pre_feedforward_layernorm" : "post_attention_layernorm";
  const mlpInput = config.parallel === "one norm" ? queried.normed
    : config.parallel === "own norms" ? normOf(mlpNorm, wanted(x, 1))
    : config.inputNorms ? normOf(mlpNorm, attended) : g.cast(attended, g.floats);
  const fed = config.experts && !config.experts.denseLayers.includes(layer) ? experts(g, weights, config, layer, mlpInput) : mlp(g, weights, config, layer, "mlp", mlpInput);
  const mlpOutput = scaled(config.outputNorms ? normOf("post_feedforward_layernorm", fed) : fed);
  const hidden = onto(attended, mlpOutput);
  const inside = {
    "attention.input": queried.normed,
    "attention.query": projections.q,
    "attention.key": key,
    "attention.value": value,
    ...(scores && { "attention.scores": scores }),
    ...(paid && { "attention.weights": paid }),
    "attention.output": attentionOutput,
    "mlp.input": mlpInput,
    "mlp.output": mlpOutput,
    hidden,
  };
  return { hidden, queries: projections.q, unturned, sinks: projections.sinks ?? null, key, value, inside };
}

const keyAndValue = (g: GraphBuilder, weights: Weights, config: ModelConfig, layer: number, x: Value, rotary: Rotary | null): Pick<Projections, "k" | "v"> => ({
  k: turned(g, config, normedHeads(g, weights, config, layer, projection(g, weights, layer, "self_attn.k_proj", x), { norm: "k_norm", heads: config.kvHeads }), config.kvHeads, rotary),
  v: projection(g, weights, layer, "self_attn.v_proj", x),
});

/** Queries or keys under the norm of their heads, where the model has one. */
function normedHeads(g: GraphBuilder, weights: Weights, config: ModelConfig, layer: number, x: Value, { norm, heads }: { norm: string; heads: number }): Value {
  return headNorm(g, weights, config, blockWeight(layer, `self_attn.${norm}`), heads, x);
}

/** Queries or keys under the rotary embedding, where the layer has it. */
function turned(g: GraphBuilder, config: ModelConfig, x: Value, heads: number, rotary: Rotary | null): Value {
  return rotary ? g.rotary(x, rotary.cos, rotary.sin, rotaryLayout(config, heads)) : x;
}
