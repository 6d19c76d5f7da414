import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import { required, type Weights } from "./weights.js";

/** The norm `name` of a model (`model.norm`) over the last axis of `x`, in what the graph's activations are. */
export function norm(g: GraphBuilder, weights: Weights, config: ModelConfig, name: string, x: Value): Value {
  const weight = required(weights, `${name}.weight`);
  return normed(g, config, x, weight, config.normBias ? required(weights, `${name}.bias`) : null);
}

/** Queries or keys `[b, n, heads * headDim]` under their norm `name` (see `qkNorm`), which has no bias; as they are where the model has none. */
export function headNorm(g: GraphBuilder, weights: Weights, config: ModelConfig, name: string, heads: number, x: Value): Value {
  const { qkNorm, headDim } = config;
  if (qkNorm === null) return x;
  if (qkNorm === "all heads") return normed(g, config, x, required(weights, `${name}.weight`), null);
  const [b, n] = [x.shape[0]!, x.shape[1]!];
  const split = g.reshape(x, [b, n, heads, headDim]);
  const whole = (y: Value) => g.reshape(y, [b, n, heads * headDim]);
  if (qkNorm === "head") return whole(normed(g, config, split, required(weights, `${name}.weight`), null));
  const own = qkNorm === "each head"
    ? required(weights, `${name}.weight`)
    : g.reshape(g.concat(Array.from({ length: heads }, (_, head) => required(weights, `${name}.${head}.weight`)), 0), [heads, headDim]);
  // The operator takes one weight for each element of the last axis: those of each head come after it.
  return whole(g.mul(normed(g, config, split, g.constant("float32", new Float32Array(headDim).fill(1)), null), g.cast(own, x.dtype)));
}

/** Its sums are in float32, whatever `x` is in. */
function normed(g: GraphBuilder, { norm, normEps, normOffset }: ModelConfig, x: Value, weight: Value, bias: Value | null): Value {
  const offset = normOffset === 0 ? weight : g.add(weight, normOffset);
  const wide = g.cast(x, "float32");
  return g.cast(norm === "layer" ? g.layerNorm(wide, offset, bias, normEps) : g.rmsNorm(wide, offset, normEps), g.floats);
}
