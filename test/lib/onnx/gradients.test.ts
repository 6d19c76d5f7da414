// Every gradient rule against central differences.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GraphBuilder } from "../../../lib/onnx/builder.js";
import { gradients } from "../../../lib/onnx/gradients.js";
import type { Value } from "../../../lib/onnx/graph.js";
import { runGraph, type Feed } from "./run.js";

/** Smooth, distinct numbers in about (-1.2, 1.2), away from 0. */
const numbers = (n: number, seed = 1) => Float32Array.from({ length: n }, (_, i) => Math.sin(1.7 * i + seed) + 0.2 * Math.cos(5.3 * i * seed));
const size = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

interface Case {
  /** Shapes of the inputs that are differentiated. */
  shapes: (readonly number[])[];
  build: (g: GraphBuilder, inputs: Value[]) => Value;
  /** Changes the inputs' numbers where an operator needs, e.g., positive ones. */
  map?: (x: number) => number;
}

const positive = (x: number) => 0.5 + x * x;
const cases: Record<string, Case> = {
  "add, broadcast": { shapes: [[2, 3, 4], [4]], build: (g, [a, b]) => g.add(a!, b!) },
  "sub, broadcast": { shapes: [[2, 1, 4], [3, 1]], build: (g, [a, b]) => g.sub(a!, b!) },
  "mul, broadcast": { shapes: [[3, 4], [2, 3, 1]], build: (g, [a, b]) => g.mul(a!, b!) },
  "div": { shapes: [[2, 3], [3]], build: (g, [a, b]) => g.div(a!, b!), map: positive },
  "a value used twice": { shapes: [[3, 2]], build: (g, [a]) => g.mul(g.add(a!, 1), g.mul(a!, a!)) },
  "neg, exp": { shapes: [[5]], build: (g, [a]) => g.neg(g.exp(a!)) },
  "log, sqrt": { shapes: [[5]], build: (g, [a]) => g.mul(g.log(a!), g.sqrt(a!)), map: positive },
  "abs": { shapes: [[6]], build: (g, [a]) => g.abs(a!) },
  "sigmoid": { shapes: [[6]], build: (g, [a]) => g.sigmoid(a!) },
  "softplus": { shapes: [[6]], build: (g, [a]) => g.softplus(a!) },
  "tanh": { shapes: [[6]], build: (g, [a]) => g.tanh(a!) },
  "gelu": { shapes: [[6]], build: (g, [a]) => g.gelu(a!) },
  "gelu by tanh": { shapes: [[6]], build: (g, [a]) => g.gelu(g.mul(a!, 2), "tanh") },
  "silu": { shapes: [[6]], build: (g, [a]) => g.silu(a!) },
  "where, broadcast": { shapes: [[2, 3], [3]], build: (g, [a, b]) => g.where(g.greater(g.constant("float32", [1, -1, 1, -1, 1, 1], [2, 3]), 0), a!, b!) },
  "matmul": { shapes: [[2, 3, 4], [2, 4, 2]], build: (g, [a, b]) => g.matmul(a!, b!) },
  "matmul with a shared matrix": { shapes: [[2, 3, 4], [4, 2]], build: (g, [a, b]) => g.matmul(a!, b!) },
  "matmul, right transposed": { shapes: [[2, 3, 4], [2, 5, 4]], build: (g, [a, b]) => g.matmul(a!, b!, { transB: true, alpha: 0.3 }) },
  "matmul, left transposed": { shapes: [[2, 4, 3], [2, 4, 5]], build: (g, [a, b]) => g.matmul(a!, b!, { transA: true, alpha: 2 }) },
  "matmul, both transposed": { shapes: [[4, 3], [5, 4]], build: (g, [a, b]) => g.matmul(a!, b!, { transA: true, transB: true }) },
  "linear with bias": { shapes: [[2, 3, 4], [5, 4], [5]], build: (g, [x, w, b]) => g.linear(x!, w!, b!) },
  "softmax": { shapes: [[3, 4]], build: (g, [a]) => g.softmax(a!) },
  "logSoftmax": { shapes: [[3, 4]], build: (g, [a]) => g.logSoftmax(a!) },
  "rmsNorm": { shapes: [[2, 3, 4], [4]], build: (g, [x, w]) => g.rmsNorm(x!, w!, 1e-3) },
  "layerNorm": { shapes: [[2, 3, 4], [4], [4]], build: (g, [x, w, b]) => g.layerNorm(x!, w!, b!, 1e-3) },
  "layerNorm without bias": { shapes: [[2, 3, 4], [4]], build: (g, [x, w]) => g.layerNorm(x!, w!, null, 1e-3) },
  "rotary of neighbours": { shapes: [[1, 3, 8]], build: (g, [x]) => g.rotary(x!, g.constant("float32", numbers(12).map(Math.cos), [3, 4]), g.constant("float32", numbers(12).map(Math.sin), [3, 4]), { interleaved: true }) },
  "rotary of a share of two heads, scaled": { shapes: [[1, 3, 16]], build: (g, [x]) => g.rotary(x!, g.constant("float32", numbers(6).map((a) => 1.3 * Math.cos(a)), [3, 2]), g.constant("float32", numbers(6).map((a) => 1.3 * Math.sin(a)), [3, 2]), { partial: { heads: 2, turned: 4 } }) },
  "rotary of neighbours in a share of two heads": { shapes: [[1, 3, 16]], build: (g, [x]) => g.rotary(x!, g.constant("float32", numbers(6).map(Math.cos), [3, 2]), g.constant("float32", numbers(6).map(Math.sin), [3, 2]), { interleaved: true, partial: { heads: 2, turned: 4 } }) },
  "rotary": { shapes: [[1, 3, 8]], build: (g, [x]) => g.rotary(x!, g.constant("float32", numbers(6).map(Math.cos), [3, 2]), g.constant("float32", numbers(6).map(Math.sin), [3, 2])) },
  "reshape, transpose": { shapes: [[2, 6]], build: (g, [a]) => g.transpose(g.reshape(a!, [2, 3, 2]), [2, 0, 1]) },
  "squeeze, unsqueeze": { shapes: [[2, 1, 3]], build: (g, [a]) => g.mul(g.unsqueeze(g.squeeze(a!, [1]), [0]), 2) },
  "expand": { shapes: [[2, 1]], build: (g, [a]) => g.expand(a!, [3, 2, 4]) },
  "reduceSum": { shapes: [[2, 3, 4]], build: (g, [a]) => g.reduceSum(a!, [0, 2]) },
  "reduceMean, kept axes": { shapes: [[2, 3, 4]], build: (g, [a]) => g.mul(g.reduceMean(a!, [-1], true), a!) },
  "gather of rows, one twice": { shapes: [[4, 3]], build: (g, [a]) => g.gather(a!, g.constant("int64", [2, 0, 2, 1, 2, 3], [2, 3])) },
  "gather of tokens": { shapes: [[1, 5, 3]], build: (g, [a]) => g.gather(a!, g.constant("int64", [0, 2, 3]), 1) },
  "gatherElements": { shapes: [[3, 4]], build: (g, [a]) => g.gatherElements(a!, g.constant("int64", [1, 1, 3], [3, 1]), 1) },
  "slice": { shapes: [[2, 5, 3]], build: (g, [a]) => g.add(g.slice(a!, 1, 1, 4), g.slice(a!, 1, -3, 5)) },
  "concat": { shapes: [[2, 2], [2, 3]], build: (g, [a, b]) => g.concat([a!, b!, a!], 1) },
  "cast": { shapes: [[3]], build: (g, [a]) => g.cast(g.cast(a!, "float32"), "float32") },
};

for (const [name, { shapes, build, map = (x: number) => x }] of Object.entries(cases)) {
  test(`gradient of ${name}`, async () => {
    const feeds: Record<string, Feed> = Object.fromEntries(
      shapes.map((dims, i) => [`x${i}`, { dtype: "float32", data: numbers(size(dims), i + 1).map(map), dims }]),
    );
    const { g, inputs, loss } = scalarGraph(shapes, build);
    gradients(g, loss, inputs).forEach((gradient, i) => g.output(gradient, `d${i}`));
    const actual = await runGraph(g, feeds);
    for (let i = 0; i < shapes.length; i++) {
      const expected = await differences(shapes, build, feeds, `x${i}`);
      const { data, dims } = actual[`d${i}`]!;
      assert.deepEqual(dims, shapes[i], "the gradient has the input's shape");
      const scale = Math.max(...expected.map(Math.abs));
      expected.forEach((value, k) => assert.ok(Math.abs(value - data[k]!) < 3e-3 * scale, `input ${i}, element ${k}: ${data[k]} instead of ${value}`));
    }
  });
}

test("a value the loss does not depend on has zero gradient", async () => {
  const { g, inputs, loss } = scalarGraph([[2], [3]], (_, [a]) => a!);
  g.output(gradients(g, loss, inputs)[1]!, "d1");
  const { d1 } = await runGraph(g, { x0: { dtype: "float32", data: [1, 2], dims: [2] }, x1: { dtype: "float32", data: [1, 2, 3], dims: [3] } });
  assert.deepEqual(d1!.data, [0, 0, 0]);
});

test("an operator without a rule is named", () => {
  const { g, inputs, loss } = scalarGraph([[2]], (g, [a]) => g.erf(a!));
  assert.throws(() => gradients(g, loss, inputs), /no rule for operator Erf/);
});

test("the loss must be a scalar", () => {
  const g = new GraphBuilder();
  const x = g.input("x", "float32", [2]);
  assert.throws(() => gradients(g, x, [x]), /shape \[2\] \(must be a scalar\)/);
});

/** The inputs, and a weighted sum of what `build` makes of them. */
function scalarGraph(shapes: Case["shapes"], build: Case["build"]) {
  const g = new GraphBuilder();
  const inputs = shapes.map((dims, i) => g.input(`x${i}`, "float32", dims));
  const y = build(g, inputs);
  const dims = y.shape as number[];
  const weighted = g.mul(y, g.constant("float32", numbers(size(dims), 7), dims));
  const loss = g.reduceSum(weighted, dims.map((_, axis) => axis));
  return { g, inputs, loss };
}

async function differences(shapes: Case["shapes"], build: Case["build"], feeds: Record<string, Feed>, name: string): Promise<number[]> {
  const { g, loss } = scalarGraph(shapes, build);
  g.output(loss, "loss");
  const step = 1e-2;
  const { data, dims } = feeds[name]!;
  const at = async (index: number, change: number) => {
    const moved = Float32Array.from(data);
    moved[index]! += change;
    return (await runGraph(g, { ...feeds, [name]: { dtype: "float32", data: moved, dims } }))["loss"]!.data[0]!;
  };
  const result: number[] = [];
  for (let i = 0; i < data.length; i++) {
    // Two steps, so that the error falls with the fourth power.
    const near = (await at(i, step)) - (await at(i, -step));
    const far = (await at(i, 2 * step)) - (await at(i, -2 * step));
    result.push((8 * near - far) / (12 * step));
  }
  return result;
}
