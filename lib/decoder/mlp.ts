import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import { projection } from "./projection.js";
import type { Weights } from "./weights.js";

/** An MLP on `x` `[…, d]`. Gated: `down(act(gate(x)) * up(x))`; else `down(act(up(x)))`. @param module `mlp` and the like */
export function mlp(g: GraphBuilder, weights: Weights, config: Pick<ModelConfig, "gatedMlp" | "activation" | "clampedGate">, layer: number, module: string, x: Value): Value {
  const linear = (name: string, y: Value) => projection(g, weights, layer, `${module}.${name}`, y);
  const activate = (y: Value) => (config.activation === "silu" ? g.silu(y) : g.gelu(y, config.activation === "gelu" ? "none" : "tanh"));
  if (!config.gatedMlp) return linear("down_proj", activate(linear("up_proj", x)));
  const [gate, up] = [linear("gate_proj", x), linear("up_proj", x)];
  return linear("down_proj", config.clampedGate ? clampedGate(g, config.clampedGate, gate, up) : g.mul(activate(gate), up));
}

/** gpt_oss: `gate sigmoid(alpha gate) (up + 1)`, the gate at most `limit`, up within ± `limit`. */
function clampedGate(g: GraphBuilder, { alpha, limit }: NonNullable<ModelConfig["clampedGate"]>, gate: Value, up: Value): Value {
  const below = (x: Value) => g.where(g.less(x, limit), x, limit);
  const bounded = below(gate);
  const within = below(g.where(g.greater(up, -limit), up, -limit));
  return g.mul(g.mul(bounded, g.sigmoid(g.mul(bounded, alpha))), g.add(within, 1));
}
