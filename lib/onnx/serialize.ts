import { create, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as AttributeType,
  GraphProtoSchema,
  ModelProtoSchema,
  TensorProto_DataLocation,
  type AttributeProto,
  type GraphProto,
} from "onnx-buf";
import { onnxTypes } from "./builder.js";
import type { Attribute, Dim, Dtype, Graph, Initializer } from "./graph.js";

const OPSET = 21;
const IR_VERSION = 10;

/** A graph as the bytes of an ONNX model (opset 21 and ONNX Runtime's contributed operators). */
export function toOnnx(graph: Graph): Uint8Array {
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(IR_VERSION),
    producerName: "sdtp-notebook",
    opsetImport: [
      { domain: "", version: BigInt(OPSET) },
      { domain: "com.microsoft", version: 1n },
    ],
    graph: graphProto(graph),
  });
  return toBinary(ModelProtoSchema, model);
}

/**
 * Nodes of a graph from which on the shapes of all values are told. Values that are known to be of one size get one buffer after the
 * other, which is then held between them: up to a fifth more memory, for which loading takes a tenth of the time.
 */
const MANY = 3000;

function graphProto(graph: Graph): GraphProto {
  // An output that bears another name than its value, or is an input or initializer itself, needs a node of its own.
  const given = new Set(graph.outputs.map(({ name }) => name));
  const renamed = graph.outputs.filter(({ name, value }) => name !== value.name || value.producer === null);
  return create(GraphProtoSchema, {
    name: graph.name,
    input: graph.inputs.map((value) => valueInfo(value.name, value.dtype, value.shape)),
    output: graph.outputs.map(({ name, value }) => valueInfo(name, value.dtype, value.shape)),
    initializer: graph.initializers.map(tensor),
    // What ONNX Runtime does not infer of shapes by itself, such as that two lengths are the same: its planner of memory looks for buffers of the same size, and where
    // it knows of none, tries all that are free for each value (seconds for thousands of nodes).
    valueInfo: graph.nodes.flatMap(({ outputs }) => outputs).filter(({ name }) => !given.has(name) && graph.nodes.length > MANY).map(({ name, dtype, shape }) => valueInfo(name, dtype, shape)),
    node: [
      ...graph.nodes.map((node, index) => ({
        name: `${node.op}_${index}`,
        opType: node.op,
        domain: node.domain,
        input: node.inputs.map((value) => value?.name ?? ""),
        output: node.outputs.map((value) => value.name),
        attribute: Object.entries(node.attributes).map(([name, value]) => attribute(name, value)),
      })),
      ...renamed.map(({ name, value }) => ({ name: `output_${name}`, opType: "Identity", input: [value.name], output: [name] })),
    ],
  });
}

function valueInfo(name: string, dtype: Dtype, shape: readonly Dim[]) {
  const dim = shape.map((size) => ({
    value: typeof size === "number" ? { case: "dimValue" as const, value: BigInt(size) } : { case: "dimParam" as const, value: size },
  }));
  return { name, type: { value: { case: "tensorType" as const, value: { elemType: onnxTypes[dtype], shape: { dim } } } } };
}

function tensor({ value, data }: Initializer) {
  const common = { name: value.name, dataType: onnxTypes[value.dtype], dims: value.shape.map((dim) => BigInt(dim)) };
  if (data.kind === "inline") return { ...common, rawData: data.bytes as Uint8Array<ArrayBuffer> };
  return {
    ...common,
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: [
      { key: "location", value: data.location },
      { key: "offset", value: String(data.offset) },
      { key: "length", value: String(data.length) },
    ],
  };
}

function attribute(name: string, attribute: Attribute): Partial<AttributeProto> & { name: string } {
  switch (attribute.kind) {
    case "int": return { name, type: AttributeType.INT, i: BigInt(attribute.value) };
    case "float": return { name, type: AttributeType.FLOAT, f: attribute.value };
    case "string": return { name, type: AttributeType.STRING, s: new TextEncoder().encode(attribute.value) as Uint8Array<ArrayBuffer> };
    case "ints": return { name, type: AttributeType.INTS, ints: attribute.value.map(BigInt) };
    case "graph": return { name, type: AttributeType.GRAPH, g: graphProto(attribute.value) };
  }
}
