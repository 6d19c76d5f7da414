import type { ModelConfig } from "../checkpoint/types.js";
import { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import { scoreBias } from "./attention.js";
import { throughBlocks } from "./decode.js";
import { plainGrowing, type Past } from "./decode-device.js";
import { gatherRotary, rotaryInputs } from "./positions.js";
import type { Weights } from "./weights.js";

/**
 * Greedy generation inside the graph: an ONNX `Loop` whose body is one decode step, so that with a provider that hands every output of a run
 * over to the host (CUDA) the cache crosses once a run and not once a token.
 * Inputs: `steps` int64 scalar, the most tokens to generate; `running` bool scalar, true; `logits.before` `[1, vocabulary]` that the first token is
 * chosen by; `position` `[1]` int64, its position; `stops` `[s]` int64, ids after which it ends (-1: none); with rotary positions `cos`, `sin`
 * from that position on (see `rotaryInputs`); for each layer L `past_key.L`, `past_value.L` `[1, kvHeads, length_L, headDim]`, as the graph's activations, and, with ALiBi or a
 * window, `past_slots.L` `[length_L]` int64, the positions of its tokens.
 * Outputs: `tokens` `[count, 1]` int64; `logits` `[1, vocabulary]` after the last; `key.L`, `value.L` `[1, kvHeads, length_L + count, headDim]`.
 * @param weightsOf the weights as values of a graph: the body is one of its own
 */
export function loopGraph(g: GraphBuilder, weightsOf: (body: GraphBuilder) => Weights, config: ModelConfig): void {
  const { kvHeads, headDim, vocabSize, layers } = config;
  const masked = isMaskedForOne(config);
  const outer = {
    steps: g.input("steps", "int64", []),
    running: g.input("running", "bool", []),
    logits: g.input("logits.before", "float32", [1, vocabSize]),
    position: g.input("position", "int64", [1]),
    stops: g.input("stops", "int64", ["s"]),
  };
  const rotaries = rotaryInputs(g, config, "steps");
  const kvShape = (layer: number) => [1, kvHeads, `length.${layer}`, headDim];
  const pastOf = (into: GraphBuilder, start: string) => Array.from({ length: layers }, (_, layer) => ({
    key: into.input(`${start}key.${layer}`, g.floats, kvShape(layer)),
    value: into.input(`${start}value.${layer}`, g.floats, kvShape(layer)),
    slots: masked ? into.input(`${start}slots.${layer}`, "int64", [`length.${layer}`]) : null,
  }));
  const past = pastOf(g, "past_");

  // Names in a body must not be those of the graph around it.
  const body = new GraphBuilder("body", "fused", g.fusedExperts, "body/", g.floats);
  const iteration = body.input("loop.iteration", "int64", []);
  body.input("loop.running", "bool", []);
  const logits = body.input("loop.logits", "float32", [1, vocabSize]);
  const position = body.input("loop.position", "int64", [1]);
  const held = pastOf(body, "loop.");
  const token = body.argMax(logits);
  const row = body.reshape(iteration, [1]);
  const rows = gatherRotary(body, rotaries, row);
  const grown: Value[] = [];
  const attentionOf = (layer: number) => {
    const { key, value, slots } = held[layer]!;
    const all = slots && body.concat([slots, position], 0, `length.${layer}+1`);
    return plainGrowing(config, { key, value } satisfies Past, all && scoreBias(body, config, layer, position, all));
  };
  const next = throughBlocks(body, weightsOf(body), config, { ids: body.reshape(token, [1, 1]), rotaries: rows, positions: position }, attentionOf, (layer, result) => {
    grown.push(result.key, result.value);
    const { slots } = held[layer]!;
    if (slots) grown.push(body.concat([slots, position], 0, `length.${layer}+1`));
  });
  const stopped = body.reduceMax(body.cast(body.equal(outer.stops, token), "int32"), [0]);
  body.output(body.less(stopped, 1), "loop.going_on");
  body.output(body.reshape(next, [1, vocabSize]), "loop.next_logits");
  body.output(body.add(position, 1), "loop.next_position");
  grown.forEach((value, index) => body.output(value, `loop.grown.${index}`));
  body.output(token, "loop.token");

  const carried = past.flatMap(({ key, value, slots }) => [key, value, ...(slots ? [slots] : [])]);
  const results = g.node("Loop", [outer.steps, outer.running, outer.logits, outer.position, ...carried], [
    { dtype: "float32", shape: [1, vocabSize] },
    { dtype: "int64", shape: [1] },
    ...past.flatMap(({ slots }, layer) => {
      const kv = { dtype: g.floats, shape: [1, kvHeads, `grown.${layer}`, headDim] };
      return [kv, kv, ...(slots ? [{ dtype: "int64" as const, shape: [`grown.${layer}`] }] : [])];
    }),
    { dtype: "int64", shape: ["count", 1] },
  ], { body: { kind: "graph", value: body } });
  g.output(results[0]!, "logits");
  g.output(results.at(-1)!, "tokens");
  const each = masked ? 3 : 2;
  for (let layer = 0; layer < layers; layer++) {
    g.output(results[2 + each * layer]!, `key.${layer}`);
    g.output(results[3 + each * layer]!, `value.${layer}`);
  }
}

/** Whether the scores of one token depend on positions. */
export const isMaskedForOne = ({ slidingWindow, positions }: ModelConfig): boolean => slidingWindow !== null || positions === "alibi";
