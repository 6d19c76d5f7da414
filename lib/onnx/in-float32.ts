import { GraphBuilder } from "./builder.js";
import type { Dtype, Node, Value } from "./graph.js";

const isHalf = (dtype: Dtype | undefined): boolean => dtype === "float16" || dtype === "bfloat16";

/**
 * A graph of 16-bit numbers for a provider that has no operators of such: each node gets its inputs widened, computes in float32, and what it gives is
 * rounded, so that products are summed in float32. Names, inputs and outputs are those of the graph. ONNX Runtime's own way, which puts casts in too,
 * leaves out the rounding between two of them.
 * @returns the graph itself where it has no such numbers
 */
export function inFloat32(graph: GraphBuilder): GraphBuilder {
  if (!graph.nodes.some(touchesHalf)) return graph;
  const { name, fusedExperts } = graph;
  const copy = new GraphBuilder(name, "fused", fusedExperts);
  const known = new Map<Value, Value>();
  const wide = new Map<Value, Value>();
  for (const { name, dtype, shape } of graph.inputs) copy.input(name, dtype, shape);
  graph.inputs.forEach((value, i) => known.set(value, copy.inputs[i]!));
  for (const { value, data } of graph.initializers) {
    const { name, dtype, shape } = value;
    known.set(value, data.kind === "inline" ? copy.inline(name, dtype, shape as number[], data.bytes) : copy.external(name, dtype, shape as number[], data.location, data.offset, data.length));
  }
  const widened = (value: Value): Value => {
    // Of graphs around this one: by name.
    const own = known.get(value) ?? value;
    if (!isHalf(own.dtype)) return own;
    let cast = wide.get(own);
    if (!cast) {
      wide.set(own, (cast = copy.cast(own, "float32")));
      cast.name = `${graph.name}:${own.name}.wide`;
    }
    return cast;
  };
  for (const node of graph.nodes) {
    // Graphs inside take and give what they did.
    const plain = node.op === "Cast" || hasGraph(node) || !touchesHalf(node);
    const inputs = node.inputs.map((value) => value && (plain ? (known.get(value) ?? value) : widened(value)));
    const made = copy.node(node.op, inputs, node.outputs.map(({ dtype, shape }) => ({ dtype: !plain && isHalf(dtype) ? "float32" : dtype, shape })), attributesOf(node), node.domain);
    node.outputs.forEach((value, i) => {
      const rounded = copy.cast(made[i]!, value.dtype);
      // Values keep their names. Those between are made of these, and the graph's: no graph around this one has them.
      made[i]!.name = `${graph.name}:${value.name}.exact`;
      rounded.name = value.name;
      known.set(value, rounded);
    });
  }
  for (const { name, value } of graph.outputs) copy.output(known.get(value)!, name);
  return copy;
}

const hasGraph = ({ attributes }: Node): boolean => Object.values(attributes).some(({ kind }) => kind === "graph");

const touchesHalf = ({ inputs, outputs, attributes }: Node): boolean =>
  [...inputs, ...outputs].some((value) => isHalf(value?.dtype)) || Object.values(attributes).some((attribute) => attribute.kind === "graph" && attribute.value.nodes.some(touchesHalf));

/** Graphs inside are of the same kind. */
function attributesOf({ attributes }: Node): Node["attributes"] {
  return Object.fromEntries(Object.entries(attributes).map(([name, attribute]) => [name, attribute.kind === "graph" ? { kind: "graph", value: inFloat32(attribute.value as GraphBuilder) } : attribute]));
}
