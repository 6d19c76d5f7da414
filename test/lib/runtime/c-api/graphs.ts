// Small graphs whose results are known without ONNX Runtime.
import { Tensor } from "onnxruntime-node";
import { GraphBuilder } from "../../../../lib/onnx/builder.js";
import { toOnnx } from "../../../../lib/onnx/serialize.js";

export const float32 = (values: ArrayLike<number>, dims: readonly number[]) => new Tensor("float32", Float32Array.from(values), dims);
export const int64 = (values: readonly number[], dims: readonly number[]) => new Tensor("int64", BigInt64Array.from(values, BigInt), dims);

/** `y = x + 1`, `rows` of `x` in another order, and the order once more. */
export function addAndPick(): Uint8Array {
  const g = new GraphBuilder("add and pick");
  const x = g.input("x", "float32", ["n", "d"]);
  const rows = g.input("rows", "int64", ["m"]);
  g.output(g.add(x, 1), "y");
  g.output(g.gather(x, rows), "picked");
  g.output(g.identity(rows), "rows.again");
  return toOnnx(g);
}

/** Adds 1 to `x` `steps` times, one operator after the other: with many steps it ends only where it is stopped. */
export function counting(): Uint8Array {
  const g = new GraphBuilder("counting");
  const steps = g.input("steps", "int64", []);
  const running = g.input("running", "bool", []);
  const x = g.input("x", "float32", [1]);
  const body = new GraphBuilder("body");
  body.input("loop.iteration", "int64", []);
  const on = body.input("loop.running", "bool", []);
  const before = body.input("loop.x", "float32", [1]);
  body.output(body.identity(on), "loop.on");
  body.output(body.add(before, 1), "loop.next");
  const [end] = g.node("Loop", [steps, running, x], [{ dtype: "float32", shape: [1] }], { body: { kind: "graph", value: body } });
  g.output(end!, "end");
  return toOnnx(g);
}

export const count = (steps: number) => ({ steps: int64([steps], []), running: new Tensor("bool", Uint8Array.of(1), []), x: float32([0], [1]) });

/** Years of it. */
export const FOREVER = 2 ** 50;
