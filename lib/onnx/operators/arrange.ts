import type { Dim, Value } from "../graph.js";
import { broadcast, normalizeAxis, reduced } from "../shapes.js";
import { int, ints } from "./attributes.js";
import { Elementwise } from "./elementwise.js";

/** Shapes, order and choice of elements; sums over axes. */
export class Arrange extends Elementwise {
  private readonly dims = new Map<string, Value>();
  private readonly even = new Map<string, Value>();

  /** An int64 vector `[dims.length]` with the run-time values of `dims`. */
  shapeVector(dims: readonly Dim[]): Value {
    if (dims.every((dim) => typeof dim === "number")) return this.constant("int64", dims as number[]);
    return this.concat(dims.map((dim) => this.dim(dim)), 0);
  }

  /** The run-time value of a dimension as an int64 vector of one element. */
  dim(dim: Dim): Value {
    if (typeof dim === "number") return this.constant("int64", [dim]);
    const known = this.symbols.get(dim);
    if (!known) throw new Error(`dimension: ${dim} (no value of this graph has it)`);
    let value = this.dims.get(dim);
    if (!value) {
      [value] = this.node("Shape", [known.value], [{ dtype: "int64", shape: [1] }], { start: int(known.axis), end: int(known.axis + 1) });
      this.dims.set(dim, value!);
    }
    return value!;
  }

  /** Reshape to `shape`; symbolic dimensions must be known to the graph. */
  reshape(x: Value, shape: readonly Dim[]): Value {
    // Where several are unknown, those that stay in place are copied (0).
    const several = shape.filter((dim) => typeof dim === "string").length > 1;
    const target = shape.map((dim, axis) => (several && typeof dim === "string" && dim === x.shape[axis] ? 0 : dim));
    const unknown = target.filter((dim) => typeof dim === "string");
    // One unknown dimension is left to ONNX (-1), so that no Shape nodes are needed.
    const vector =
      unknown.length <= 1
        ? this.constant("int64", target.map((dim) => (typeof dim === "string" ? -1 : dim)))
        : this.shapeVector(shape);
    return this.node("Reshape", [x, vector], [{ dtype: x.dtype, shape }])[0]!;
  }

  transpose(x: Value, perm: readonly number[]): Value {
    return this.node("Transpose", [x], [{ dtype: x.dtype, shape: perm.map((axis) => x.shape[axis]!) }], { perm: ints(perm) })[0]!;
  }

  unsqueeze(x: Value, axes: readonly number[]): Value {
    const shape: Dim[] = [...x.shape];
    for (const axis of [...axes].sort((a, b) => a - b)) shape.splice(axis, 0, 1);
    return this.node("Unsqueeze", [x, this.constant("int64", axes)], [{ dtype: x.dtype, shape }])[0]!;
  }

  squeeze(x: Value, axes: readonly number[]): Value {
    return this.node("Squeeze", [x, this.constant("int64", axes)], [{ dtype: x.dtype, shape: reduced(x.shape, axes, false) }])[0]!;
  }

  concat(values: readonly Value[], axis: number, size?: Dim): Value {
    const first = values[0]!;
    const at = normalizeAxis(axis, first.rank);
    const dims = values.map((value) => value.shape[at]!);
    const total = size ?? (dims.every((dim) => typeof dim === "number") ? (dims as number[]).reduce((a, b) => a + b, 0) : dims.join("+"));
    const shape = first.shape.map((dim, i) => (i === at ? total : dim));
    return this.node("Concat", [...values], [{ dtype: first.dtype, shape }], { axis: int(at) })[0]!;
  }

  /** The last entry along `axis`, which stays, of length 1. */
  last(x: Value, axis: number): Value { return this.slice(x, axis, -1, Number.MAX_SAFE_INTEGER, 1); }

  /** Elements `start … end` (exclusive) of an axis; negative numbers count from the end. `size` names the result's length. */
  slice(x: Value, axis: number, start: number, end: number, size?: Dim): Value {
    const at = normalizeAxis(axis, x.rank);
    const length = x.shape[at]!;
    let extent = size;
    if (extent === undefined) {
      if (typeof length === "number") {
        const from = start < 0 ? start + length : Math.min(start, length);
        const to = end < 0 ? end + length : Math.min(end, length);
        extent = Math.max(0, to - from);
      } else if (start >= 0 === end >= 0) extent = Math.max(0, end - start);
      else throw new Error(`slice: a size is needed for ${start}…${end} of ${length}`);
    }
    const shape = x.shape.map((dim, i) => (i === at ? extent : dim));
    return this.node("Slice", [x, this.constant("int64", [start]), this.constant("int64", [end]), this.constant("int64", [at])],
      [{ dtype: x.dtype, shape }])[0]!;
  }

  /** Zeros added before and after an axis of known length. */
  pad(x: Value, axis: number, before: number, after: number): Value {
    if (before === 0 && after === 0) return x;
    const at = normalizeAxis(axis, x.rank);
    const length = x.shape[at]!;
    if (typeof length !== "number") throw new Error(`pad: axis of unknown length ${length}`);
    const pads = new Array<number>(2 * x.rank).fill(0);
    pads[at] = before;
    pads[x.rank + at] = after;
    const shape = x.shape.map((dim, i) => (i === at ? before + length + after : dim));
    return this.node("Pad", [x, this.constant("int64", pads)], [{ dtype: x.dtype, shape }])[0]!;
  }

  /** The first `size` elements along an axis, and the rest (`rest` of them). */
  splitAt(x: Value, axis: number, size: Dim, rest: Dim): [Value, Value] {
    const at = normalizeAxis(axis, x.rank);
    const part = (length: Dim) => ({ dtype: x.dtype, shape: x.shape.map((dim, i) => (i === at ? length : dim)) });
    const [first, second] = this.node("Split", [x, this.shapeVector([size, rest])], [part(size), part(rest)], { axis: int(at) });
    return [first!, second!];
  }

  /** `parts` pieces along an axis whose lengths differ by at most one (some of them 0 where it is shorter than `parts`); `size(i)` names their lengths. */
  splitEvenly(x: Value, axis: number, parts: number, size: (part: number) => Dim): Value[] {
    const at = normalizeAxis(axis, x.rank);
    const outputs = Array.from({ length: parts }, (_, part) => ({ dtype: x.dtype, shape: x.shape.map((dim, i) => (i === at ? size(part) : dim)) }));
    return this.node("Split", [x, this.evenSizes(x.shape[at]!, parts)], outputs, { axis: int(at) });
  }

  /** Lengths of `parts` even pieces of `n`, int64 `[parts]`. */
  private evenSizes(n: Dim, parts: number): Value {
    const key = `${n}/${parts}`;
    let sizes = this.even.get(key);
    if (!sizes) {
      const cuts = (from: number) => this.div(this.mul(this.constant("int64", Array.from({ length: parts }, (_, part) => from + part)), this.dim(n)), parts);
      this.even.set(key, (sizes = this.sub(cuts(1), cuts(0))));
    }
    return sizes;
  }

  /** Rows of `x` along `axis` at `indices` (any rank). */
  gather(x: Value, indices: Value, axis = 0): Value {
    const at = normalizeAxis(axis, x.rank);
    const shape = [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)];
    return this.node("Gather", [x, indices], [{ dtype: x.dtype, shape }], { axis: int(at) })[0]!;
  }

  /** One element per index along `axis`; `indices` has the rank of `x`. */
  gatherElements(x: Value, indices: Value, axis: number): Value {
    return this.node("GatherElements", [x, indices], [{ dtype: x.dtype, shape: indices.shape }], { axis: int(normalizeAxis(axis, x.rank)) })[0]!;
  }

  /** `x` with `updates` added at `indices` along `axis`. */
  scatterAdd(x: Value, indices: Value, updates: Value, axis: number): Value {
    return this.node("ScatterElements", [x, indices, updates], [{ dtype: x.dtype, shape: x.shape }],
      { axis: int(normalizeAxis(axis, x.rank)), reduction: { kind: "string", value: "add" } })[0]!;
  }

  /** The `k` (int64 vector of one element) largest or smallest along the last axis: values and int64 indices, in order. */
  topK(x: Value, k: Value, size: Dim, { largest = true } = {}): [Value, Value] {
    const shape = [...x.shape.slice(0, -1), size];
    const [values, indices] = this.node("TopK", [x, k], [{ dtype: x.dtype, shape }, { dtype: "int64", shape }],
      { axis: int(-1), largest: int(Number(largest)), sorted: int(1) });
    return [values!, indices!];
  }

  /** Where the `k` (int64 vector of one element) highest along the last axis stand, ascending, the earlier of equal ones before the later: int64. */
  highest(x: Value, k: Value, size: Dim): Value {
    const [, chosen] = this.topK(x, k, size);
    return this.topK(chosen, k, size, { largest: false })[0];
  }

  /** Sums of an axis's elements up to each. */
  cumSum(x: Value, axis: number): Value {
    return this.node("CumSum", [x, this.scalar("int64", normalizeAxis(axis, x.rank))], [{ dtype: x.dtype, shape: x.shape }])[0]!;
  }

  /** Index of the largest element along the last axis (the first of equal ones), int64. */
  argMax(x: Value): Value {
    return this.node("ArgMax", [x], [{ dtype: "int64", shape: x.shape.slice(0, -1) }], { axis: int(-1), keepdims: int(0) })[0]!;
  }

  expand(x: Value, shape: readonly Dim[]): Value {
    return this.node("Expand", [x, this.shapeVector(shape)], [{ dtype: x.dtype, shape: broadcast(x.shape, shape) }])[0]!;
  }

  /** `0, 1, …, n - 1` as int64, where n is a dimension of the graph. */
  range(n: Dim): Value {
    const limit = this.squeeze(this.dim(n), [0]);
    return this.node("Range", [this.scalar("int64", 0), limit, this.scalar("int64", 1)], [{ dtype: "int64", shape: [n] }])[0]!;
  }

  reduceSum(x: Value, axes: readonly number[], keepDims = false): Value { return this.reduce("ReduceSum", x, axes, keepDims); }
  reduceMean(x: Value, axes: readonly number[], keepDims = false): Value { return this.reduce("ReduceMean", x, axes, keepDims); }
  reduceMax(x: Value, axes: readonly number[], keepDims = false): Value { return this.reduce("ReduceMax", x, axes, keepDims); }
  reduceMin(x: Value, axes: readonly number[], keepDims = false): Value { return this.reduce("ReduceMin", x, axes, keepDims); }
  /** Euclidean norm. */
  reduceL2(x: Value, axes: readonly number[], keepDims = false): Value { return this.reduce("ReduceL2", x, axes, keepDims); }

  private reduce(op: string, x: Value, axes: readonly number[], keepDims: boolean): Value {
    return this.node(op, [x, this.constant("int64", axes)], [{ dtype: x.dtype, shape: reduced(x.shape, axes, keepDims) }],
      { keepdims: int(Number(keepDims)) })[0]!;
  }
}
