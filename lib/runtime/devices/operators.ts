import type { Tensor } from "onnxruntime-node";
import { decodeFloat16 } from "../../checkpoint/half.js";
import type { Graph, Node, Value } from "../../onnx/graph.js";
import type { Home } from "../home.js";
import type { LoadedGraph, Outputs } from "../loaded-graph.js";
import { serialized } from "../serialized-graph.js";
import { openSession, type BuiltIn } from "../session.js";

/** How one operator fared on a device, over all its nodes in all graphs that ran. */
export interface OperatorRecord {
  /** `MatMul`, `com.microsoft.GroupQueryAttention`, and in brackets what it computes in. */
  readonly operator: string;
  /** Nodes that were compared: their inputs agreed with the CPU's. */
  readonly nodes: number;
  /** Largest difference of an output from the CPU's, as a share of that output's largest number. */
  readonly worst: number;
  /** Orders of equal scores may differ: where they did, what follows was not compared. */
  readonly ties: number;
}

/** Furthest that an operator may be from the CPU, as a share of its output's largest number; with 16-bit numbers what their rounding gives. */
export const OPERATOR_TOLERANCE = { float32: 1e-3, float16: 2e-2 };

/** Compares every node of every graph that runs, on the same inputs, with the CPU. */
export class OperatorCheck {
  private readonly operators = new Map<string, { nodes: number; worst: number; ties: number }>();

  get records(): OperatorRecord[] {
    return [...this.operators].map(([operator, record]) => ({ operator, ...record })).sort((a, b) => a.operator.localeCompare(b.operator));
  }

  /**
   * A home whose graphs run on the device and on the CPU, all values of a graph coming out of both.
   * Caches are in this process's memory, so that both have the same.
   * @param open how the device loads a graph
   */
  home(home: Home, device: BuiltIn, open: typeof openSession = openSession): Home {
    return {
      ...home,
      takesAllOutputs: false,
      load: async (g, { threads, folder }) => {
        const wanted = g.outputs.map(({ name }) => name);
        const named = new Set(g.outputs.map(({ value }) => value.name));
        // What nobody reads (a norm's statistics), a device need not compute.
        const used = new Set(g.nodes.flatMap(({ inputs }) => inputs.flatMap((input) => (input ? [input.name] : []))));
        const inside = g.nodes.flatMap(({ outputs }) => outputs).filter((value) => !named.has(value.name) && used.has(value.name) && comes(value));
        for (const value of inside) g.output(value);
        const model = await serialized(g);
        const [here, there] = [await openSession(model, { threads, folder, provider: "cpu" }), await open(model, { threads, folder, provider: device })];
        return this.both(g, here, there, wanted);
      },
      release: (session) => session.release(),
    };
  }

  private both(g: Graph, here: LoadedGraph, there: LoadedGraph, wanted: readonly string[]): LoadedGraph {
    const names = new Map(g.outputs.map(({ name, value }) => [value.name, name]));
    return {
      inputNames: here.inputNames,
      outputNames: wanted,
      run: async (feeds, only = wanted) => {
        const [right, found] = [await here.run(feeds), await there.run(feeds)];
        this.compare(g, names, right, found);
        return Object.fromEntries(only.map((name) => [name, found[name]!])) as Outputs;
      },
      release: async () => {
        await here.release();
        await there.release();
      },
    };
  }

  private compare(g: Graph, names: ReadonlyMap<string, string>, right: Outputs, found: Outputs): void {
    // What was computed from what was wrong already says nothing of its operator.
    const astray = new Set<string>();
    for (const node of g.nodes) {
      const kind = operatorOf(node);
      const record = this.operators.get(kind.name) ?? { nodes: 0, worst: 0, ties: 0 };
      const skip = node.inputs.some((input) => input && astray.has(input.name));
      let [worst, tie] = [0, false];
      for (const value of node.outputs) {
        const name = names.get(value.name);
        if (skip) astray.add(value.name);
        if (skip || name === undefined || !right[name] || !found[name]) continue;
        const far = difference(right[name], found[name]);
        if (far === 0) continue;
        // An order of numbers that are almost equal: which comes first is the rounding's choice.
        if (value.dtype !== "float32" && value.dtype !== "float16" && node.inputs.some((input) => input && /^float/.test(input.dtype))) tie = true;
        else worst = Math.max(worst, far);
        if (tie || far > kind.tolerance) astray.add(value.name);
      }
      if (!skip) this.operators.set(kind.name, { nodes: record.nodes + 1, worst: Math.max(record.worst, worst), ties: record.ties + Number(tie) });
    }
  }
}

/** Operators that are further from the CPU than they may be, in words; empty: none. */
export function wrongOperators(records: readonly OperatorRecord[]): string[] {
  return records.filter(({ operator, worst }) => !(worst <= toleranceOf(operator))).map(({ operator, worst }) => `${operator} by ${worst.toPrecision(2)} of its largest number`);
}

const toleranceOf = (operator: string): number => (operator.endsWith("(float16)") ? OPERATOR_TOLERANCE.float16 : OPERATOR_TOLERANCE.float32);

function operatorOf({ op, domain, inputs, outputs }: Node): { name: string; tolerance: number } {
  const half = [...inputs, ...outputs].some((value) => value?.dtype === "float16");
  const name = `${domain === "" ? "" : `${domain}.`}${op} (${half ? "float16" : (outputs[0]?.dtype ?? "nothing")})`;
  return { name, tolerance: toleranceOf(name) };
}

/** Whether a value can be an output that JavaScript reads. */
function comes({ dtype }: Value): boolean {
  return ["float32", "float16", "int64", "int32", "bool", "int8", "uint8", "float64"].includes(dtype);
}

/** Largest difference over the largest number; what is not a number, or of another shape, is infinitely far. */
export function difference(a: Tensor, b: Tensor): number {
  if (a.dims.join() !== b.dims.join() || a.type !== b.type) return Infinity;
  const [x, y] = [numbers(a), numbers(b)];
  let [most, scale] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    const [p, q] = [Number(x[i]), Number(y[i])];
    if (Object.is(p, q) || p === q) {
      if (Number.isFinite(p)) scale = Math.max(scale, Math.abs(p));
      continue;
    }
    if (!Number.isFinite(p) || !Number.isFinite(q)) return Infinity;
    scale = Math.max(scale, Math.abs(p));
    most = Math.max(most, Math.abs(p - q));
  }
  return most === 0 ? 0 : most / Math.max(scale, 1e-6);
}

function numbers({ data, type }: Tensor): ArrayLike<number | bigint> {
  if (type !== "float16" || !(data instanceof Uint16Array)) return data as ArrayLike<number | bigint>;
  return decodeFloat16(data);
}
