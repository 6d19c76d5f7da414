/** Element types of graph values, as ONNX Runtime spells them. */
export type Dtype = "float32" | "float16" | "bfloat16" | "float64" | "int64" | "int32" | "int8" | "uint8" | "bool" | "float8e4m3fn" | "float8e5m2";

/** What results of products, and all between them, are held in. */
export type Floats = "float32" | "float16";

/** A dimension: a number, or the name of a length known only at run time. */
export type Dim = number | string;

export type Attribute =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "graph"; readonly value: Graph };

/** One tensor in a graph: the output of a node, an input, or an initializer. */
export class Value {
  constructor(
    readonly graph: Graph,
    public name: string,
    readonly dtype: Dtype,
    readonly shape: readonly Dim[],
    readonly producer: Node | null = null,
  ) {}

  get rank(): number {
    return this.shape.length;
  }
}

/** One operator application. */
export interface Node {
  readonly op: string;
  /** "" for standard ONNX, "com.microsoft" for ONNX Runtime's own operators. */
  readonly domain: string;
  readonly inputs: readonly (Value | null)[];
  readonly outputs: Value[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** An initializer: data inside the graph, or a range of a file beside it. */
export interface Initializer {
  readonly value: Value;
  readonly data:
    | { readonly kind: "inline"; readonly bytes: Uint8Array }
    | { readonly kind: "external"; readonly location: string; readonly offset: number; readonly length: number };
}

/**
 * A step for reverse-mode differentiation: usually one node, or a group of nodes
 * whose gradient is better written as a whole (see `GraphBuilder.composite`).
 */
export interface TapeEntry {
  readonly inputs: readonly (Value | null)[];
  readonly outputs: readonly Value[];
  /** The node, when the entry is a single one. */
  readonly node: Node | null;
  /** Given the gradient of each output (null: zero), the gradient of each input (null: none). */
  readonly pullback: ((gradients: readonly (Value | null)[]) => (Value | null)[]) | null;
}

/** Nodes in order of creation, which is a topological order. Shapes are tracked as far as they are known. */
export class Graph {
  readonly inputs: Value[] = [];
  readonly outputs: { name: string; value: Value }[] = [];
  readonly nodes: Node[] = [];
  readonly initializers: Initializer[] = [];
  readonly tape: TapeEntry[] = [];
  /** Where each symbolic dimension can be read at run time. */
  readonly symbols = new Map<string, { value: Value; axis: number }>();
  private count = 0;
  private readonly names = new Set<string>();

  /** @param prefix of all names: those of a graph inside a node must not be those of the graph around it */
  constructor(readonly name = "graph", private readonly prefix = "") {}

  /** A name not used before: `hint`, or `hint_1`, `hint_2`, … */
  uniqueName(hint: string): string {
    hint = this.prefix + hint;
    let name = hint;
    while (this.names.has(name)) name = `${hint}_${++this.count}`;
    this.names.add(name);
    return name;
  }

  /** Gives a value a stable name, by which it can be captured. Throws if the name is taken. */
  rename(value: Value, name: string): Value {
    if (value.name === name) return value;
    if (this.names.has(name)) throw new Error(`value name: ${name} (already taken in this graph)`);
    this.names.delete(value.name);
    this.names.add(name);
    value.name = name;
    return value;
  }

  /** Declares an input of the graph. A symbolic dimension gets its meaning from the first value that has it. */
  input(name: string, dtype: Dtype, shape: readonly Dim[]): Value {
    const value = this.track(new Value(this, this.uniqueName(name), dtype, shape));
    this.inputs.push(value);
    return value;
  }

  /** Makes a value an output of the graph under `name` (its own name if left out). */
  output(value: Value, name = value.name): Value {
    if (this.outputs.some((output) => output.name === name)) throw new Error(`graph output: ${name} (declared twice)`);
    this.outputs.push({ name, value });
    return value;
  }

  /** An initializer whose bytes lie inside the graph. */
  inline(name: string, dtype: Dtype, shape: readonly number[], bytes: Uint8Array): Value {
    const value = new Value(this, this.uniqueName(name), dtype, shape);
    this.initializers.push({ value, data: { kind: "inline", bytes } });
    return value;
  }

  /**
   * An initializer whose bytes lie in a file: `location` relative to the session's external-data folder,
   * `offset` and `length` in bytes. No alignment is needed.
   */
  external(name: string, dtype: Dtype, shape: readonly number[], location: string, offset: number, length: number): Value {
    const value = new Value(this, this.uniqueName(name), dtype, shape);
    this.initializers.push({ value, data: { kind: "external", location, offset, length } });
    return value;
  }

  /** Adds a node; `outputs` gives dtype and shape of each result. */
  node(
    op: string,
    inputs: readonly (Value | null)[],
    outputs: readonly { dtype: Dtype; shape: readonly Dim[] }[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = "",
  ): Value[] {
    const node: Node = { op, domain, inputs, outputs: [], attributes };
    for (const { dtype, shape } of outputs) {
      node.outputs.push(this.track(new Value(this, this.uniqueName(op.toLowerCase()), dtype, shape, node)));
    }
    this.nodes.push(node);
    this.tape.push({ inputs, outputs: node.outputs, node, pullback: null });
    return node.outputs;
  }

  private track(value: Value): Value {
    value.shape.forEach((dim, axis) => {
      if (typeof dim === "string" && !this.symbols.has(dim)) this.symbols.set(dim, { value, axis });
    });
    return value;
  }
}
