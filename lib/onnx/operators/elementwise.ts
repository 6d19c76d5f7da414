import { Graph, type Dtype, type Value } from "../graph.js";
import { broadcast, format } from "../shapes.js";
import { float, int, onnxTypes } from "./attributes.js";

const typedArrays = {
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

export type ConstantDtype = keyof typeof typedArrays;

/** Constants, and operators that work on each element. */
export class Elementwise extends Graph {
  private readonly scalars = new Map<string, Value>();

  /** A tensor of constants. Without `shape`: a vector. */
  constant(dtype: ConstantDtype, values: readonly number[] | ArrayLike<number>, shape: readonly number[] = [values.length]): Value {
    const Typed = typedArrays[dtype];
    const array =
      Typed === BigInt64Array
        ? BigInt64Array.from(values as ArrayLike<number>, (value) => BigInt(value))
        : (Typed as Float32ArrayConstructor).from(values as ArrayLike<number>);
    if (shape.reduce((a, b) => a * b, 1) !== array.length) {
      throw new Error(`constant: ${array.length} values for shape ${format(shape)}`);
    }
    return this.inline("constant", dtype, shape, new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }

  /** A scalar constant; equal ones are shared. */
  scalar(dtype: ConstantDtype, value: number): Value {
    const key = `${dtype}:${Object.is(value, -0) ? "-0" : value}`;
    let scalar = this.scalars.get(key);
    if (!scalar) this.scalars.set(key, (scalar = this.constant(dtype, [value], [])));
    return scalar;
  }

  add(a: Value | number, b: Value | number): Value { return this.binary("Add", a, b); }
  sub(a: Value | number, b: Value | number): Value { return this.binary("Sub", a, b); }
  mul(a: Value | number, b: Value | number): Value { return this.binary("Mul", a, b); }
  /** `x` times a number that is not rounded to what `x` is in. */
  scale(x: Value, by: number): Value { return this.cast(this.mul(this.cast(x, "float32"), by), x.dtype); }
  div(a: Value | number, b: Value | number): Value { return this.binary("Div", a, b); }
  pow(a: Value, exponent: number): Value { return this.binary("Pow", a, exponent); }
  min(a: Value | number, b: Value | number): Value { return this.binary("Min", a, b); }
  max(a: Value | number, b: Value | number): Value { return this.binary("Max", a, b); }
  less(a: Value | number, b: Value | number): Value { return this.binary("Less", a, b, "bool"); }
  lessOrEqual(a: Value | number, b: Value | number): Value { return this.binary("LessOrEqual", a, b, "bool"); }
  greater(a: Value | number, b: Value | number): Value { return this.binary("Greater", a, b, "bool"); }
  greaterOrEqual(a: Value | number, b: Value | number): Value { return this.binary("GreaterOrEqual", a, b, "bool"); }
  equal(a: Value | number, b: Value | number): Value { return this.binary("Equal", a, b, "bool"); }
  and(a: Value, b: Value): Value { return this.binary("And", a, b, "bool"); }
  or(a: Value, b: Value): Value { return this.binary("Or", a, b, "bool"); }
  not(x: Value): Value { return this.unary("Not", x); }
  neg(x: Value): Value { return this.unary("Neg", x); }
  abs(x: Value): Value { return this.unary("Abs", x); }
  sign(x: Value): Value { return this.unary("Sign", x); }
  exp(x: Value): Value { return this.unary("Exp", x); }
  log(x: Value): Value { return this.unary("Log", x); }
  sqrt(x: Value): Value { return this.unary("Sqrt", x); }
  sigmoid(x: Value): Value { return this.unary("Sigmoid", x); }
  softplus(x: Value): Value { return this.unary("Softplus", x); }
  tanh(x: Value): Value { return this.unary("Tanh", x); }
  erf(x: Value): Value { return this.unary("Erf", x); }
  identity(x: Value): Value { return this.unary("Identity", x); }
  isNaN(x: Value): Value { return this.node("IsNaN", [x], [{ dtype: "bool", shape: x.shape }])[0]!; }
  cast(x: Value, dtype: Dtype): Value {
    if (x.dtype === dtype) return x;
    return this.node("Cast", [x], [{ dtype, shape: x.shape }], { to: int(onnxTypes[dtype]) })[0]!;
  }

  /** Elementwise choice: `condition ? a : b`, broadcasting. */
  where(condition: Value, a: Value | number, b: Value | number): Value {
    const other = typeof a !== "number" ? a : typeof b !== "number" ? b : null;
    const x = this.lift(a, other?.dtype ?? "float32");
    const y = this.lift(b, other?.dtype ?? "float32");
    const shape = broadcast(condition.shape, broadcast(x.shape, y.shape));
    return this.node("Where", [condition, x, y], [{ dtype: x.dtype, shape }])[0]!;
  }

  /** GELU, exact (`erf`) unless `approximate` is "tanh". */
  gelu(x: Value, approximate: "none" | "tanh" = "none"): Value {
    return this.node("Gelu", [x], [{ dtype: x.dtype, shape: x.shape }], { approximate: { kind: "string", value: approximate } })[0]!;
  }

  /** SiLU: `x * sigmoid(x)`. */
  silu(x: Value): Value {
    return this.node("QuickGelu", [x], [{ dtype: x.dtype, shape: x.shape }], { alpha: float(1) }, "com.microsoft")[0]!;
  }

  protected lift(x: Value | number, dtype: Dtype): Value {
    if (typeof x !== "number") return x;
    if (dtype !== "float16" && dtype !== "bfloat16") return this.scalar(dtype as ConstantDtype, x);
    const key = `${dtype}:${Object.is(x, -0) ? "-0" : x}`;
    let scalar = this.scalars.get(key);
    // Rounded by ONNX Runtime when it loads the graph.
    if (!scalar) this.scalars.set(key, (scalar = this.cast(this.scalar("float32", x), dtype)));
    return scalar;
  }

  protected scalarVector(value: number): Value {
    const key = `vector:${value}`;
    let vector = this.scalars.get(key);
    if (!vector) this.scalars.set(key, (vector = this.constant("int64", [value])));
    return vector;
  }

  protected unary(op: string, x: Value): Value {
    return this.node(op, [x], [{ dtype: x.dtype, shape: x.shape }])[0]!;
  }

  protected binary(op: string, a: Value | number, b: Value | number, result?: Dtype): Value {
    const dtype = typeof a !== "number" ? a.dtype : typeof b !== "number" ? b.dtype : "float32";
    const x = this.lift(a, dtype);
    const y = this.lift(b, dtype);
    if (x.dtype !== y.dtype) throw new Error(`${op}: operands are ${x.dtype} and ${y.dtype} (cast one)`);
    return this.node(op, [x, y], [{ dtype: result ?? dtype, shape: broadcast(x.shape, y.shape, op) }])[0]!;
  }
}
