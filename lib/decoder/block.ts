import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import type { BlockActivation } from "./activations.js";
import type { Attended, Attention, Projections } from "./attention.js";
import { blockWeight, required, type Weights } from "./weights.js";

/** Rotary rows for the tokens at hand, `[n, headDim / 2]`. */
export interface Rotary {
  readonly cos: Value;
  readonly sin: Value;
}

/** What a block gives: `hidden` `[b, n, d]`, the layer's queries (after rotary embedding), keys and values. */
export interface BlockResult extends Pick<Attended, "key" | "value"> {
  readonly hidden: Value;
  readonly queries: Value;
  /** Values inside the block that can be captured, by the last part of their name. Naming them adds no node. */
  readonly inside: Readonly<Partial<Record<BlockActivation, Value>>>;
}

/** One transformer block on `x` `[b, n, d]`. */
export function block(
  g: GraphBuilder,
  weights: Weights,
  config: ModelConfig,
  layer: number,
  x: Value,
  rotary: Rotary,
  attention: Attention,
): BlockResult {
  const weight = (name: string) => required(weights, blockWeight(layer, name));
  const normed = g.rmsNorm(x, weight("input_layernorm.weight"), config.normEps);
  const projections = project(g, weights, config, layer, normed, rotary);
  const { output, key, value, scores, weights: paid } = attention(g, projections, layer);
  const attentionOutput = projection(g, weights, layer, "self_attn.o_proj", output);
  const attended = g.add(x, attentionOutput);
  const mlpInput = g.rmsNorm(attended, weight("post_attention_layernorm.weight"), config.normEps);
  const mlpOutput = mlp(g, weights, layer, mlpInput);
  const hidden = g.add(attended, mlpOutput);
  const inside = {
    "attention.input": normed,
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
  return { hidden, queries: projections.q, key, value, inside };
}

function project(g: GraphBuilder, weights: Weights, config: ModelConfig, layer: number, x: Value, { cos, sin }: Rotary): Projections {
  const q = projection(g, weights, layer, "self_attn.q_proj", x);
  const k = projection(g, weights, layer, "self_attn.k_proj", x);
  const v = projection(g, weights, layer, "self_attn.v_proj", x);
  const normed = (y: Value, name: string, heads: number) =>
    config.qkNorm ? headNorm(g, y, required(weights, blockWeight(layer, `self_attn.${name}.weight`)), heads, config) : y;
  return {
    q: g.rotary(normed(q, "q_norm", config.heads), cos, sin),
    k: g.rotary(normed(k, "k_norm", config.kvHeads), cos, sin),
    v,
  };
}

/** RMS norm of each head by itself. */
function headNorm(g: GraphBuilder, x: Value, weight: Value, heads: number, config: ModelConfig): Value {
  const [b, n] = [x.shape[0]!, x.shape[1]!];
  const split = g.reshape(x, [b, n, heads, config.headDim]);
  return g.reshape(g.rmsNorm(split, weight, config.normEps), [b, n, heads * config.headDim]);
}

/** Gated MLP: `down(silu(gate(x)) * up(x))`. */
function mlp(g: GraphBuilder, weights: Weights, layer: number, x: Value): Value {
  const gate = g.silu(projection(g, weights, layer, "mlp.gate_proj", x));
  return projection(g, weights, layer, "mlp.down_proj", g.mul(gate, projection(g, weights, layer, "mlp.up_proj", x)));
}

/** A linear layer with its bias, if the checkpoint has one. */
function projection(g: GraphBuilder, weights: Weights, layer: number, name: string, x: Value): Value {
  const y = weights.product(blockWeight(layer, `${name}.weight`), x);
  const bias = weights.find(blockWeight(layer, `${name}.bias`));
  return bias ? g.add(y, bias) : y;
}
