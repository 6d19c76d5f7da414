import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import type { BlockActivation } from "./activations.js";
import type { Attended, Attention, Projections } from "./attention.js";
import { norm } from "./norm.js";
import type { Rotary } from "./positions.js";
import { blockWeight, required, type Weights } from "./weights.js";

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
  rotary: Rotary | null,
  attention: Attention,
): BlockResult {
  const normOf = (name: string, y: Value) => norm(g, weights, config, blockWeight(layer, name), y);
  const normed = normOf("input_layernorm", x);
  const projections = project(g, weights, config, layer, normed, rotary);
  const { output, key, value, scores, weights: paid } = attention(g, projections, layer);
  const mixed = projection(g, weights, layer, "self_attn.o_proj", output);
  // The names are the checkpoints' own: where outputs have norms, "post attention" is one of them.
  const attentionOutput = config.outputNorms ? normOf("post_attention_layernorm", mixed) : mixed;
  const attended = g.add(x, attentionOutput);
  const mlpInput = normOf(config.outputNorms ? "pre_feedforward_layernorm" : "post_attention_layernorm", attended);
  const fed = mlp(g, weights, config, layer, mlpInput);
  const mlpOutput = config.outputNorms ? normOf("post_feedforward_layernorm", fed) : fed;
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

function project(g: GraphBuilder, weights: Weights, config: ModelConfig, layer: number, x: Value, rotary: Rotary | null): Projections {
  const q = projection(g, weights, layer, "self_attn.q_proj", x);
  const k = projection(g, weights, layer, "self_attn.k_proj", x);
  const v = projection(g, weights, layer, "self_attn.v_proj", x);
  const normed = (y: Value, name: string, heads: number) =>
    config.qkNorm ? headNorm(g, y, required(weights, blockWeight(layer, `self_attn.${name}.weight`)), heads, config) : y;
  const turned = (y: Value) => (rotary ? g.rotary(y, rotary.cos, rotary.sin) : y);
  return { q: turned(normed(q, "q_norm", config.heads)), k: turned(normed(k, "k_norm", config.kvHeads)), v };
}

/** RMS norm of each head by itself. */
function headNorm(g: GraphBuilder, x: Value, weight: Value, heads: number, config: ModelConfig): Value {
  const [b, n] = [x.shape[0]!, x.shape[1]!];
  const split = g.reshape(x, [b, n, heads, config.headDim]);
  return g.reshape(g.rmsNorm(split, weight, config.normEps), [b, n, heads * config.headDim]);
}

/** Gated MLP: `down(act(gate(x)) * up(x))`; else `down(act(up(x)))`. */
function mlp(g: GraphBuilder, weights: Weights, config: ModelConfig, layer: number, x: Value): Value {
  const linear = (name: string, y: Value) => projection(g, weights, layer, `mlp.${name}`, y);
  const activate = (y: Value) => (config.activation === "silu" ? g.silu(y) : g.gelu(y, config.activation === "gelu" ? "none" : "tanh"));
  if (!config.gatedMlp) return linear("down_proj", activate(linear("up_proj", x)));
  return linear("down_proj", g.mul(activate(linear("gate_proj", x)), linear("up_proj", x)));
}

/** A linear layer with its bias, if the checkpoint has one. */
function projection(g: GraphBuilder, weights: Weights, layer: number, name: string, x: Value): Value {
  const y = weights.product(blockWeight(layer, `${name}.weight`), x);
  const bias = weights.find(blockWeight(layer, `${name}.bias`));
  return bias ? g.add(y, bias) : y;
}
