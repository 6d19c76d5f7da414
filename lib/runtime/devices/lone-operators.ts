import { Tensor } from "onnxruntime-node";
import { GraphBuilder } from "../../onnx/builder.js";
import type { Initializer, Node, Value } from "../../onnx/graph.js";
import type { Home } from "../home.js";
import type { LoadedGraph } from "../loaded-graph.js";
import type { SessionSettings } from "../session.js";

/** Largest difference that an operator may have from the CPU, as a share of the largest number that it gives. */
export const OPERATOR_TOLERANCE = 1e-4;

/** An operator that does not compute what the CPU does. */
export interface WrongOperator {
  readonly operator: string;
  readonly reason: string;
}

export interface OperatorsFound {
  /** Kinds of operators tried: by name, attributes, types and what of their inputs is constant. */
  readonly tried: Set<string>;
  readonly wrong: WrongOperator[];
}

/**
 * A home that computes on the CPU, and holds against it what a device makes of every kind of operator: each one alone, in a graph of its own,
 * on the numbers that it gets there. A sum may hide what is wrong in one of its terms, and a whole model does not say where it is.
 * @param device whose operators they are; of graphs that it leaves to the CPU none is tried @param found filled while graphs run
 */
export function tryingOperators(device: Home, cpu: Home, found: OperatorsFound): Home {
  return {
    ...device,
    async load(g, settings) {
      if (device.isThere && !device.isThere(g.name)) return cpu.load(g, settings);
      const wanted = g.outputs.map(({ name }) => name);
      const wantedValues = g.outputs.map(({ value }) => value);
      const inner = g.nodes.flatMap(({ outputs }) => outputs).filter((value) => !g.outputs.some((output) => output.name === value.name));
      for (const value of inner) g.output(value);
      const loaded = await cpu.load(g, settings);
      let done = false;
      const graph: LoadedGraph = {
        inputNames: loaded.inputNames,
        outputNames: wanted,
        async run(feeds, names = wanted, options) {
          if (done) return loaded.run(feeds, names, options);
          done = true;
          const values = { ...feeds, ...(await loaded.run(feeds, loaded.outputNames, options)) };
          for (const node of g.nodes) await tryOperator(node, g, wantedValues, values, device, settings, found);
          return Object.fromEntries(names.map((name) => [name, values[name]!]));
        },
        release: () => loaded.release(),
      };
      return graph;
    },
    release: (graph) => graph.release(),
  };
}

async function tryOperator(node: Node, g: GraphBuilder, wanted: readonly Value[], values: Readonly<Record<string, Tensor>>, device: Home, settings: Pick<SessionSettings, "threads" | "folder">, found: OperatorsFound): Promise<void> {
  const constants = new Map(g.initializers.map((initializer) => [initializer.value, initializer]));
  const read = new Set([...g.nodes.flatMap(({ inputs }) => inputs), ...wanted]) as Set<Value>;
  if (!node.outputs.some((value) => read.has(value))) return;
  const kind = kindOf(node, constants);
  if (found.tried.has(kind) || Object.values(node.attributes).some((attribute) => attribute.kind === "graph")) return;
  found.tried.add(kind);
  const { one, feeds, outputs } = alone(node, constants, read, values);
  const operator = `${node.domain === "" ? "" : `${node.domain}.`}${node.op}`;
  try {
    const session = await device.load(one, settings);
    try {
      const results = await session.run(feeds);
      const reason = outputs.map(([name, value]) => difference(values[value.name], results[name])).find((each) => each !== null);
      if (reason) found.wrong.push({ operator, reason });
    } finally {
      await device.release(session);
    }
  } catch (error) {
    found.wrong.push({ operator, reason: (error as Error).message.split("\n")[0]!.slice(0, 200) });
  }
}

/** A graph of this operator alone. Its constants stay such, all else is fed. @param read values that others read: what nobody does may be anything */
function alone(node: Node, constants: ReadonlyMap<Value, Initializer>, read: ReadonlySet<Value>, values: Readonly<Record<string, Tensor>>): { one: GraphBuilder; feeds: Record<string, Tensor>; outputs: [string, Value][] } {
  const one = new GraphBuilder(`${node.op} alone`);
  const feeds: Record<string, Tensor> = {};
  const given = new Map<Value, Value>();
  const input = (value: Value): Value => {
    const known = given.get(value);
    if (known) return known;
    const { name, dtype, shape } = value;
    const data = constants.get(value)?.data;
    const made = !data ? one.input(name, dtype, shape)
      : data.kind === "inline" ? one.inline(name, dtype, shape as number[], data.bytes) : one.external(name, dtype, shape as number[], data.location, data.offset, data.length);
    if (!data) feeds[name] = values[name]!;
    given.set(value, made);
    return made;
  };
  const made = one.node(node.op, node.inputs.map((value) => value && input(value)), node.outputs.map(({ dtype, shape }) => ({ dtype, shape })), node.attributes, node.domain);
  const outputs = made.flatMap((value, i): [string, Value][] => {
    if (!read.has(node.outputs[i]!)) return [];
    const name = `out.${i}`;
    one.output(value, name);
    return [[name, node.outputs[i]!]];
  });
  return { one, feeds, outputs };
}

/** Nodes of one kind are computed by the same code, as far as can be seen. */
function kindOf({ op, domain, attributes, inputs }: Node, constants: ReadonlyMap<Value, Initializer>): string {
  return JSON.stringify([domain, op, attributes, inputs.map((value) => value && [value.dtype, value.shape.map((dim) => typeof dim === "string" || dim === 1 ? dim === 1 : "n"), constants.has(value)])]);
}

/** What is wrong with a result; null: nothing. */
function difference(expected: Tensor | undefined, got: Tensor | undefined): string | null {
  // An output that the CPU does not give either.
  if (!expected) return null;
  if (!got || got.type !== expected.type || got.dims.join() !== expected.dims.join()) return `gives ${got ? `${got.type} [${got.dims.join(", ")}]` : "nothing"} (must be ${expected.type} [${expected.dims.join(", ")}])`;
  const [a, b] = [expected.data, got.data] as [ArrayLike<number | bigint>, ArrayLike<number | bigint>];
  let [scale, most] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [Number(a[i]), Number(b[i])];
    if (Number.isFinite(x)) scale = Math.max(scale, Math.abs(x));
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    const far = Math.abs(x - y);
    most = Number.isNaN(far) ? Infinity : Math.max(most, far);
  }
  const exact = !/^float/.test(expected.type);
  if (most <= (exact ? 0 : OPERATOR_TOLERANCE * Math.max(1, scale))) return null;
  return `is off by ${most.toPrecision(2)} where the largest number is ${scale.toPrecision(2)}`;
}

