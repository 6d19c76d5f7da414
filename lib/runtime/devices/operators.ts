import { Tensor } from "onnxruntime-node";
import { decodeFloat16 } from "../../checkpoint/half.js";
import { GraphBuilder } from "../../onnx/builder.js";
import type { Dtype, Initializer, Node, Value } from "../../onnx/graph.js";
import type { Home } from "../home.js";
import type { LoadedGraph, Outputs } from "../loaded-graph.js";
import type { SessionSettings } from "../session.js";

/** How one operator fared on a device, over all its kinds in all graphs that ran. */
export interface OperatorRecord {
  /** `MatMul (float32)`, `com.microsoft.GroupQueryAttention (float16)`. */
  readonly operator: string;
  /** Nodes that were tried: one of each kind, by attributes, types, what of its inputs is constant, and which axes have no or one element. */
  readonly nodes: number;
  /** Largest difference of an output from the CPU's, as a share of that output's largest number. */
  readonly worst: number;
  /** Nodes that chose another of equal elements than the CPU: ONNX wants the first. */
  readonly ties: number;
  /** What else was wrong with one; null: nothing. */
  readonly problem: string | null;
}

/**
 * Furthest that an operator may be from the CPU on the same inputs, as a share of its output's largest number: of 16-bit numbers one rounding
 * (2⁻¹¹) and what the order of float32 sums gives.
 */
export const OPERATOR_TOLERANCE = { float32: 1e-4, float16: 2e-3 };

/** Element types that JavaScript reads and feeds. */
const READABLE: readonly Dtype[] = ["float32", "float16", "int64", "int32", "bool", "int8", "uint8", "float64"];

/**
 * Holds against the CPU what a device makes of every kind of operator: each one alone, in a graph of its own, on the numbers that it gets on the CPU. A sum
 * may hide what is wrong in one of its terms, and a whole model does not say where it is. An operator with a graph inside is tried with all that is around it.
 */
export class OperatorCheck {
  private readonly tried = new Set<string>();
  private readonly found = new Map<string, { nodes: number; worst: number; ties: number; problem: string | null }>();

  get records(): OperatorRecord[] {
    return [...this.found].map(([operator, record]) => ({ operator, ...record })).sort((a, b) => a.operator.localeCompare(b.operator));
  }

  /** Kinds of operators that were tried. */
  get kinds(): number {
    return this.tried.size;
  }

  /**
   * A home that computes on the CPU; each graph's first run tries its operators on the device.
   * @param device whose operators they are; of graphs that it leaves to the CPU none is tried
   * @param cpu how the CPU loads the device's graphs
   */
  home(device: Home, cpu: Pick<Home, "load">): Home {
    return {
      ...device,
      takesAllOutputs: false,
      load: async (g, settings) => {
        if (device.isThere && !device.isThere(g.name)) return cpu.load(g, settings);
        const wanted = g.outputs.map(({ name }) => name);
        const needed = new Set<Value | null>([...g.nodes.flatMap(({ inputs }) => inputs), ...g.outputs.map(({ value }) => value)]);
        const named = new Set(g.outputs.map(({ name }) => name));
        for (const value of g.nodes.flatMap(({ outputs }) => outputs)) if (!named.has(value.name) && needed.has(value) && READABLE.includes(value.dtype)) g.output(value);
        const loaded = await cpu.load(g, settings);
        let done = false;
        const graph: LoadedGraph = {
          inputNames: loaded.inputNames,
          outputNames: wanted,
          run: async (feeds, names = wanted, options) => {
            if (done) return loaded.run(feeds, names, options);
            done = true;
            const values = { ...feeds, ...(await loaded.run(feeds, loaded.outputNames, options)) };
            const constants = new Map(g.initializers.map((initializer) => [initializer.value, initializer]));
            for (const node of g.nodes) {
              const one = hasGraph(node) ? { graph: g, feeds, outputs: wanted.map((name): [string, string] => [name, name]) } : alone(node, constants, needed, values);
              if (one) await this.try(node, kindOf(node, constants, values), one, values, device, settings);
            }
            return Object.fromEntries(names.map((name) => [name, values[name]!]));
          },
          release: () => loaded.release(),
        };
        return graph;
      },
      release: (graph) => graph.release(),
    };
  }

  private async try(node: Node, kind: string, { graph, feeds, outputs }: Lone, values: Readonly<Record<string, Tensor>>, device: Home, settings: Pick<SessionSettings, "threads" | "folder">): Promise<void> {
    if (outputs.length === 0 || this.tried.has(kind)) return;
    this.tried.add(kind);
    const name = nameOf(node);
    const record = this.found.get(name) ?? { nodes: 0, worst: 0, ties: 0, problem: null };
    this.found.set(name, record);
    record.nodes++;
    try {
      const session = await device.load(graph, settings);
      try {
        const results = await session.run(feeds, session.outputNames);
        const ties = differsInTies(node, outputs, values, results);
        if (ties) record.ties++;
        for (const [given, expected] of outputs) if (!(ties && expected === node.outputs[1]!.name)) hold(record, values[expected], results[given]);
      } finally {
        await device.release(session);
      }
    } catch (error) {
      record.problem ??= (error as Error).message.split("\n")[0]!.slice(0, 200);
    }
  }
}

/** Operators that are further from the CPU than they may be, in words; empty: none. @param strict another of equal elements is wrong too */
export function wrongOperators(records: readonly OperatorRecord[], { strict = false } = {}): string[] {
  return records.flatMap(({ operator, worst, ties, problem }) => {
    if (problem !== null) return `${operator}, which ${problem}`;
    if (!(worst <= toleranceOf(operator))) return `${operator}, which is off by ${worst.toPrecision(2)} of its largest number`;
    return strict && ties > 0 ? `${operator}, which takes another of equal elements than the first` : [];
  });
}

const toleranceOf = (operator: string): number => (operator.endsWith("(float16)") ? OPERATOR_TOLERANCE.float16 : OPERATOR_TOLERANCE.float32);

/** The operator, and what it computes in. */
function nameOf({ op, domain, inputs, outputs }: Node): string {
  const half = [...inputs, ...outputs].some((value) => value?.dtype === "float16");
  return `${domain === "" ? "" : `${domain}.`}${op} (${half ? "float16" : (outputs[0]?.dtype ?? "nothing")})`;
}

const hasGraph = ({ attributes }: Node): boolean => Object.values(attributes).some(({ kind }) => kind === "graph");

/** A graph to try an operator in. */
interface Lone {
  readonly graph: GraphBuilder;
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** What it gives, and by which name the CPU has that. */
  readonly outputs: readonly [given: string, expected: string][];
}

/** A graph of this operator alone; null: what it is to be fed cannot be read. Its constants stay such, all else is fed. @param needed values that others read: what nobody does may be anything */
function alone(node: Node, constants: ReadonlyMap<Value, Initializer>, needed: ReadonlySet<Value | null>, values: Readonly<Record<string, Tensor>>): Lone | null {
  const graph = new GraphBuilder(`${node.op} alone`);
  const feeds: Record<string, Tensor> = {};
  const given = new Map<Value, Value>();
  if (node.inputs.some((value) => value && !constants.has(value) && !values[value.name])) return null;
  const input = (value: Value): Value => {
    const known = given.get(value);
    if (known) return known;
    const { name, dtype, shape } = value;
    const data = constants.get(value)?.data;
    const made = !data ? graph.input(name, dtype, shape)
      : data.kind === "inline" ? graph.inline(name, dtype, shape as number[], data.bytes) : graph.external(name, dtype, shape as number[], data.location, data.offset, data.length);
    if (!data) feeds[name] = values[name]!;
    given.set(value, made);
    return made;
  };
  const made = graph.node(node.op, node.inputs.map((value) => value && input(value)), node.outputs.map(({ dtype, shape }) => ({ dtype, shape })), node.attributes, node.domain);
  const outputs = made.flatMap((value, i): [string, string][] => {
    // An output that the CPU does not give either, or that cannot be read.
    const { name: expected } = node.outputs[i]!;
    if (!needed.has(node.outputs[i]!) || !values[expected]) return [];
    graph.output(value, `out.${i}`);
    return [[`out.${i}`, expected]];
  });
  return { graph, feeds, outputs };
}

/** Nodes of one kind are computed by the same code, as far as can be seen: kernels for single rows and for empty caches are others. */
function kindOf({ op, domain, attributes, inputs }: Node, constants: ReadonlyMap<Value, Initializer>, values: Readonly<Record<string, Tensor>>): string {
  const size = (dim: number | string | undefined) => (dim === 0 || dim === 1 ? dim : "n");
  return JSON.stringify([domain, op, attributes, inputs.map((value) => value && [value.dtype, value.shape.map((dim, axis) => size(values[value.name]?.dims[axis] ?? dim)), constants.has(value)])], (_, each: unknown) => (each instanceof GraphBuilder ? each.name : each));
}

/** Whether indices are others than the CPU's, but of the same elements: some of those are equal. */
function differsInTies({ op, inputs, outputs: [, indices] }: Node, outputs: Lone["outputs"], values: Readonly<Record<string, Tensor>>, results: Outputs): boolean {
  const [given, expected] = outputs.find(([, name]) => name === indices?.name) ?? [];
  const x = inputs[0] && values[inputs[0].name];
  if (op !== "TopK" || !x || given === undefined) return false;
  const [right, found] = [values[expected!]!, results[given]];
  if (!found || right.dims.join() !== found.dims.join() || difference(right, found) === 0) return false;
  const elements = numbers(x);
  const [row, count] = [x.dims.at(-1)!, right.dims.at(-1)!];
  const places = (tensor: Tensor) => Array.from(numbers(tensor), (index, i) => Math.floor(i / count) * row + Number(index));
  const [a, b] = [places(right), places(found)];
  return new Set(b).size === b.length && a.every((place, i) => elements[place] === elements[b[i]!]);
}

function hold(record: { worst: number; problem: string | null }, expected: Tensor | undefined, got: Tensor | undefined): void {
  if (!expected) return;
  if (!got || got.type !== expected.type || got.dims.join() !== expected.dims.join()) record.problem ??= `gives ${got ? `${got.type} [${got.dims.join(", ")}]` : "nothing"} (must be ${expected.type} [${expected.dims.join(", ")}])`;
  else record.worst = Math.max(record.worst, difference(expected, got));
}

/** Largest difference over the largest number; what is not a number, or of another shape, is infinitely far. Whole numbers and truths must be equal. */
export function difference(expected: Tensor, got: Tensor): number {
  if (expected.dims.join() !== got.dims.join() || expected.type !== got.type) return Infinity;
  const [x, y] = [numbers(expected), numbers(got)];
  let [most, scale] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    const [p, q] = [Number(x[i]), Number(y[i])];
    if (Number.isFinite(p)) scale = Math.max(scale, Math.abs(p));
    if (Object.is(p, q) || p === q) continue;
    if (!Number.isFinite(p) || !Number.isFinite(q)) return Infinity;
    most = Math.max(most, Math.abs(p - q));
  }
  if (most === 0) return 0;
  return /^float/.test(expected.type) ? most / Math.max(scale, 1e-6) : Math.max(1, most);
}

function numbers({ data, type }: Tensor): ArrayLike<number | bigint> {
  return type === "float16" && data instanceof Uint16Array ? decodeFloat16(data) : (data as ArrayLike<number | bigint>);
}
