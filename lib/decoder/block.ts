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

/** What a block gives: `hidden` `[b, n, d]`, the layer's queries (after rotary embedding), keys and values. */
export interface BlockResult extends Pick<Attended, "key" | "value"> {
  readonly hidden: Value;
  readonly queries: Value;
  /** The layer's attention sinks (see `Projections`). */
  readonly sinks: Value | null;
  /** Values inside the block that can be captured, by the last part of their name. Naming them adds no node. */
  readonly inside: Readonly<Partial<Record<BlockActivation, Value>>>;
}

/** Which tokens' hidden states a block computes. `last`: that of the last one alone, n being 1 then in all but `key` and `value`. */
export type BlockTokens = "all" | "last";

/** One transformer block on `x` `[b, n, d]`. */
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
  const normed = config.inputNorms ? normOf("input_layernorm", x) : x;
  const wanted = (y: Value, axis: number) => (tokens === "all" ? y : g.last(y, axis));
  const queried = { normed: wanted(normed, 1), rotary: rotary && { cos: wanted(rotary.cos, 0), sin: wanted(rotary.sin, 0) } };
  const projections: Projections = { q: query(g, weights, config, layer, queried.normed, queried.rotary), ...keyAndValue(g, weights, config, layer, normed, rotary), sinks: config.attentionSinks ? required(weights, blockWeight(layer, "self_attn.sinks.weight")) : null };
  const { output, key, value, scores, weights: paid } = attention(g, projections, layer);
  const mixed = projection(g, weights, layer, "self_attn.o_proj", output);
  const scaled = (y: Value) => (config.residualScale === 1 ? y : g.mul(y, config.residualScale));
  // The names are the checkpoints' own: where outputs have norms, "post attention" is one of them.
  const attentionOutput = scaled(config.outputNorms ? normOf("post_attention_layernorm", mixed) : mixed);
  const attended = g.add(wanted(x, 1), attentionOutput);
  const mlpNorm = config.outputNorms ? "pre_feedforward_layernorm" : "post_attention_layernorm";
  const mlpInput = config.parallel === "one norm" ? queried.normed
    : config.parallel === "own norms" ? normOf(mlpNorm, wanted(x, 1))
    : config.inputNorms ? normOf(mlpNorm, attended) : attended;
  const fed = config.experts && !config.experts.denseLayers.includes(layer) ? experts(g, weights, config, layer, mlpInput) : mlp(g, weights, config, layer, "mlp", mlpInput);
  const mlpOutput = scaled(config.outputNorms ? normOf("post_feedforward_layernorm", fed) : fed);
  const hidden = g.add(attended, mlpOutput);
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
  return { hidden, queries: projections.q, sinks: projections.sinks ?? null, key, value, inside };
}

const query = (g: GraphBuilder, weights: Weights, config: ModelConfig, layer: number, x: Value, rotary: Rotary | null): Value =>
  turned(g, weights, config, layer, projection(g, weights, layer, "self_attn.q_proj", x), { norm: "q_norm", heads: config.heads }, rotary);

const keyAndValue = (g: GraphBuilder, weights: Weights, config: ModelConfig, layer: number, x: Value, rotary: Rotary | null): Pick<Projections, "k" | "v"> => ({
  k: turned(g, weights, config, layer, projection(g, weights, layer, "self_attn.k_proj", x), { norm: "k_norm", heads: config.kvHeads }, rotary),
  v: projection(g, weights, layer, "self_attn.v_proj", x),
});

/** Queries or keys under the norm of their heads and the rotary embedding, where the model has them. */
function turned(g: GraphBuilder, weights: Weights, config: ModelConfig, layer: number, x: Value, { norm, heads }: { norm: string; heads: number }, rotary: Rotary | null): Value {
  const normed = headNorm(g, weights, config, blockWeight(layer, `self_attn.${norm}`), heads, x);
  return rotary ? g.rotary(normed, rotary.cos, rotary.sin, rotaryLayout(config, heads)) : normed;
}
