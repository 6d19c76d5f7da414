// Products of rows rounded to two terms of 8 bits with weights in 8 bits, against sums of integers and against the same weights in float64.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GraphBuilder } from "../../../lib/onnx/builder.js";
import { exactIntegerProducts } from "../../../lib/runtime/integer-products.js";
import { normalNumbers } from "../../reference/checkpoints.js";
import { runGraph } from "./run.js";

const skip = !(await exactIntegerProducts()) && "this processor's integer products are not exact: they are not used";

interface Weights {
  readonly weights: Int8Array;
  readonly scales: Float32Array;
}

/** `x` `[rows, inner]` through the operators -> `[rows, out]`. @param dims of the input, which may have more axes */
async function product(x: ArrayLike<number>, { weights, scales }: Weights, rows: number, dims: readonly number[] = [rows, x.length / rows]): Promise<number[]> {
  const inner = x.length / rows;
  const g = new GraphBuilder();
  const matrix = { weights: g.constant("int8", weights, [inner, scales.length]), scales: g.constant("float32", scales) };
  const symbols = dims.map((dim, axis) => (axis === dims.length - 1 ? dim : dim === 1 ? 1 : `d${axis}`));
  g.output(g.linearByChannel(g.input("x", "float32", symbols), matrix), "y");
  const { y } = await runGraph(g, { x: { dtype: "float32", data: x, dims } });
  assert.deepEqual(y!.dims, [...dims.slice(0, -1), scales.length]);
  return y!.data;
}

/** The sum over inputs in float64. */
function sums(x: ArrayLike<number>, { weights, scales }: Weights, rows: number): number[] {
  const [inner, out] = [x.length / rows, scales.length];
  return Array.from({ length: rows * out }, (_, i) => {
    const [row, channel] = [Math.floor(i / out), i % out];
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += x[row * inner + k]! * weights[k * out + channel]!;
    return sum * scales[channel]!;
  });
}

/** Any 8-bit weights. */
function someWeights(inner: number, out: number, seed: number): Weights {
  const normal = normalNumbers(seed);
  return { weights: Int8Array.from({ length: inner * out }, () => Math.max(-127, Math.min(127, Math.round(normal() * 40)))), scales: Float32Array.from({ length: out }, () => 0.001 + Math.abs(normal()) / 50) };
}

/** What rounding a row may cost an output at most: half a step of the second term for each input, and float32's own rounding. */
function bound(x: ArrayLike<number>, { weights, scales }: Weights, rows: number): number[] {
  const [inner, out] = [x.length / rows, scales.length];
  return Array.from({ length: rows * out }, (_, i) => {
    const [row, channel] = [Math.floor(i / out), i % out];
    let [largest, size] = [0, 0];
    for (let k = 0; k < inner; k++) {
      largest = Math.max(largest, Math.abs(x[row * inner + k]!));
      size += Math.abs(weights[k * out + channel]!);
    }
    return scales[channel]! * largest * size * (0.51 / (127 * 254) + 1e-6);
  });
}

test("rows whose elements are levels already give sums of integers, exactly: odd sizes, the largest elements, rows of zeros", { skip }, async () => {
  for (const [rows, inner, out] of [[1, 3, 1], [5, 64, 17], [33, 257, 40], [4, 4096, 3]] as const) {
    const integers = Int32Array.from({ length: rows * inner }, (_, i) => ((i * 7919) % 255) - 127);
    for (let row = 0; row < rows; row++) integers[row * inner] = row % 2 ? 127 : -127;
    if (rows > 4) integers.fill(0, 2 * inner, 3 * inner);
    if (rows > 3) integers.fill(127, 3 * inner, 4 * inner);
    const weights = { weights: Int8Array.from({ length: inner * out }, (_, i) => (i % out === 0 ? 127 : ((i * 104729) % 255) - 127)), scales: new Float32Array(out).fill(1) };
    const [found, expected] = [await product(integers, weights, rows), sums(integers, weights, rows)];
    // A sum of 127 * 127 * 4096 has 26 bits, float32 24.
    found.forEach((value, i) => assert.ok(Math.abs(value - expected[i]!) <= 4e-7 * Math.max(1, Math.abs(expected[i]!)) + (expected[i] === 0 ? 1e-3 : 0.5), `${rows} ${inner} ${out}: ${value}, ${expected[i]}`));
    if (rows > 4) assert.deepEqual(found.slice(2 * out, 3 * out), new Array<number>(out).fill(0));
  }
});

test("any rows, of any number of axes, are within what 16 bits a row leave, outliers and tiny rows too", { skip }, async () => {
  const [rows, inner, out] = [12, 300, 50];
  const normal = normalNumbers(3);
  const x = Float32Array.from({ length: rows * inner }, () => normal());
  x[2 * inner + 5] = 3000;
  for (let k = 0; k < inner; k++) x[7 * inner + k]! *= 1e-12;
  const weights = someWeights(inner, out, 4);
  const [expected, most] = [sums(x, weights, rows), bound(x, weights, rows)];
  for (const dims of [[rows, inner], [1, rows, inner], [3, 4, inner]]) {
    const found = await product(x, weights, rows, dims);
    found.forEach((value, i) => assert.ok(Math.abs(value - expected[i]!) <= most[i]!, `${i}: ${value}, ${expected[i]}, at most ${most[i]} off`));
  }
  // Eight bits alone would not hold the row with an outlier to a hundredth.
  const size = Math.hypot(...expected.slice(2 * out, 3 * out));
  const found = await product(x, weights, rows);
  assert.ok(Math.hypot(...found.slice(2 * out, 3 * out).map((value, i) => value - expected[2 * out + i]!)) < 1e-3 * size);
});

test("a row's numbers do not depend on the rows beside it", { skip }, async () => {
  const [rows, inner, out] = [40, 96, 33];
  const normal = normalNumbers(5);
  const x = Float32Array.from({ length: rows * inner }, (_, i) => normal() * (Math.floor(i / inner) % 5 === 0 ? 1e3 : 1));
  const weights = someWeights(inner, out, 6);
  const together = await product(x, weights, rows);
  for (const [from, to] of [[0, 1], [3, 4], [10, 25]] as const) assert.deepEqual(await product(x.slice(from * inner, to * inner), weights, to - from), together.slice(from * out, to * out));
});

test("a row that is not finite stays so, wherever in it that is, and no other row is touched", { skip }, async () => {
  const [rows, inner, out] = [6, 130, 8];
  const normal = normalNumbers(7);
  const x = Float32Array.from({ length: rows * inner }, () => normal());
  const weights = someWeights(inner, out, 8);
  const good = await product(x, weights, rows);
  for (const bad of [NaN, Infinity, -Infinity]) {
    for (const column of [0, 1, 63, 128, 129]) {
      const wrong = x.slice();
      wrong[3 * inner + column] = bad;
      const found = await product(wrong, weights, rows);
      assert.ok(found.slice(3 * out, 4 * out).every((value) => !Number.isFinite(value)), `${bad} at ${column}`);
      assert.deepEqual([...found.slice(0, 3 * out), ...found.slice(4 * out)], [...good.slice(0, 3 * out), ...good.slice(4 * out)]);
    }
  }
});
