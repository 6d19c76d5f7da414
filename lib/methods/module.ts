import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";

/**
 * What a pruning module looks at. `hidden`: the hidden state as it is (arXiv:2504.04514 and its published modules).
 * `placed`: the hidden state under RMS norm, and how far the token stands from the prompt's last one. With rotary positions a
 * hidden state hardly tells where its token stands, and prose depends most on what stood last.
 */
export const moduleInputs = ["placed", "hidden"] as const;
export type ModuleInputs = (typeof moduleInputs)[number];

/** A module's parameters in a graph: `Linear(d, m)`, GELU, `Linear(m, 1)`; weights `[out, in]`. */
export interface ModuleParameters {
  readonly weight0: Value;
  readonly bias0: Value;
  readonly weight2: Value;
  readonly bias2: Value;
  /** `[m]`, the first layer's weights for the distance: makes the module one of `placed` inputs. */
  readonly distance: Value | null;
}

/**
 * One logit a token: hidden states `[1, n, d]` -> `[1, n, 1]`.
 * @param logDistance `[n, 1]`, see `logDistance`; needed where the module has weights for it
 */
export function moduleLogits(g: GraphBuilder, hidden: Value, { weight0, bias0, weight2, bias2, distance }: ModuleParameters, logDistance: Value | null, normEps: number): Value {
  if (!distance || !logDistance) return g.linear(g.gelu(g.linear(hidden, weight0, bias0)), weight2, bias2);
  const d = hidden.shape[2] as number;
  const normed = g.rmsNorm(hidden, g.constant("float32", new Float32Array(d).fill(1)), normEps);
  const inner = g.add(g.linear(normed, weight0, bias0), g.mul(logDistance, distance));
  return g.linear(g.gelu(inner), weight2, bias2);
}

/** log(1 + how many positions before the last token) of each token: positions `[n]` int64, ascending -> `[n, 1]`. */
export function logDistance(g: GraphBuilder, positions: Value): Value {
  const last = g.last(positions, 0);
  const distance = g.cast(g.sub(last, positions), "float32");
  return g.reshape(g.log(g.add(distance, 1)), [positions.shape[0]!, 1]);
}
