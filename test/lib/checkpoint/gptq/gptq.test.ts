import assert from "node:assert/strict";
import { test } from "node:test";
import { correctDrift } from "../../../../lib/checkpoint/gptq/drift.js";
import { factorise, unknownInputs, type InputFactor, type MatrixProduct } from "../../../../lib/checkpoint/gptq/factor.js";
import { roundByInputs } from "../../../../lib/checkpoint/gptq/round.js";
import { dequantizeRows, quantizeRows, quantBytes, zeroPointBytes } from "../../../../lib/checkpoint/quantize.js";
import { Random } from "../../../../lib/random.js";

const product: MatrixProduct = async (a, b, m, k, n) => {
  const c = new (a.constructor as new (length: number) => typeof a)(m * n);
  for (let i = 0; i < m; i++) for (let j = 0; j < k; j++) for (let l = 0; l < n; l++) c[i * n + l]! += a[i * k + j]! * b[j * n + l]!;
  return c;
};

/** Inputs of `count` tokens that hang together, some of them much larger than others. */
function inputsOf(count: number, inputs: number, seed: number): Float64Array {
  const random = new Random(seed);
  const common = Array.from({ length: 8 }, () => Float64Array.from({ length: inputs }, () => random.normal()));
  const sizes = Float64Array.from({ length: inputs }, () => Math.exp(random.normal()));
  const x = new Float64Array(count * inputs);
  for (let token = 0; token < count; token++) {
    const shares = common.map(() => random.normal());
    for (let i = 0; i < inputs; i++) x[token * inputs + i] = sizes[i]! * (0.5 * random.normal() + shares.reduce((sum, share, c) => sum + share * common[c]![i]!, 0));
  }
  return x;
}

const inputsTurned = (x: Float64Array, inputs: number): Float64Array => Float64Array.from(x, (_, at) => x[(at % (x.length / inputs)) * inputs + Math.floor(at / (x.length / inputs))]!);
const momentsOf = (x: Float64Array, y: Float64Array, inputs: number) => product(inputsTurned(x, inputs), y, inputs, x.length / inputs, inputs);
const weightsOf = (rows: number, inputs: number, seed: number) => { const random = new Random(seed); return Float32Array.from({ length: rows * inputs }, () => random.normal()); };

/** Of all rows, `e H e`. */
function cost(errors: Float32Array, moments: Float64Array, inputs: number): number {
  let sum = 0;
  for (let row = 0; row < errors.length; row += inputs) for (let i = 0; i < inputs; i++) for (let j = 0; j < inputs; j++) sum += errors[row + i]! * moments[i * inputs + j]! * errors[row + j]!;
  return sum;
}

const differences = (a: Float32Array, b: Float32Array): Float32Array => a.map((value, i) => value - b[i]!);
const damped = (moments: Float64Array, inputs: number, damping: number) => moments.map((value, at) => (at % (inputs + 1) === 0 ? value * (1 + damping) : value));

for (const inputs of [64, 80, 300]) {
  test(`${inputs} inputs: costs and shares add up to the second moments; blocks stay whole`, async () => {
    const moments = await momentsOf(inputsOf(500, inputs, 1), inputsOf(500, inputs, 1), inputs);
    const { order, starts, shares, costs } = await factorise(moments, inputs, 32, 0.01, product);
    const errors = weightsOf(1, inputs, 2);
    let sum = 0;
    for (let p = 0; p < inputs; p++) {
      let left = errors[order[p]!]!;
      for (let j = 0; j < p; j++) left += shares[p * inputs + j]! * errors[order[j]!]!;
      sum += costs[p]! * left ** 2;
    }
    const expected = cost(errors, damped(moments, inputs, 0.01), inputs);
    assert.ok(Math.abs(sum / expected - 1) < 1e-4, `${sum} ${expected}`);
    assert.deepEqual([...order].sort((a, b) => a - b), Array.from({ length: inputs }, (_, i) => i));
    for (let block = 0; block + 1 < starts.length; block++) assert.equal(new Set([...order.subarray(starts[block], starts[block + 1])].map((i) => Math.floor(i / 32))).size, 1);
  });
}

test("solving gives what the damped moments must be multiplied with", async () => {
  const inputs = 200;
  const moments = await momentsOf(inputsOf(400, inputs, 1), inputsOf(400, inputs, 1), inputs);
  const { solve } = await factorise(moments, inputs, 32, 0.05, product);
  const x = Float64Array.from(weightsOf(inputs, 3, 5));
  const solved = x.slice();
  await solve(solved, 3);
  const back = await product(damped(moments, inputs, 0.05), solved, inputs, inputs, 3);
  assert.ok(back.every((value, i) => Math.abs(value - x[i]!) < 1e-8), "within rounding");
});

for (const symmetric of [false, true]) {
  test(`${symmetric ? "symmetric" : "asymmetric"} rounding by inputs changes products less than rounding to nearest, on tokens that it has not seen too`, async () => {
    const [inputs, rows] = [160, 24];
    const [seen, unseen] = [inputsOf(2000, inputs, 1), inputsOf(4000, inputs, 1).subarray(2000 * inputs)];
    const [moments, others] = [await momentsOf(seen, seen, inputs), await momentsOf(unseen, unseen, inputs)];
    const values = weightsOf(rows, inputs, 3);
    const nearest = differences(dequantizeRows(quantizeRows(values, inputs, 4, symmetric), inputs, 4), values);
    const round = async (factor: InputFactor) => differences(dequantizeRows(await roundByInputs(values, factor, { blockSize: 32, symmetric, product }), inputs, 4), values);
    const searched = await round(unknownInputs(inputs, 32));
    assert.ok(Math.hypot(...searched) < 0.97 * Math.hypot(...nearest), `plain errors ${Math.hypot(...searched)}, ${Math.hypot(...nearest)}`);
    const errors = await round(await factorise(moments, inputs, 32, 0.01, product));
    for (const each of [moments, others]) assert.ok(cost(errors, each, inputs) < 0.5 * cost(nearest, each, inputs), `${cost(errors, each, inputs)} ${cost(nearest, each, inputs)}`);
  });
}

test("parts have the sizes of the format, rounding twice gives the same bytes, blocks at the end may be short", async () => {
  const [inputs, rows] = [72, 5];
  const x = inputsOf(300, inputs, 4);
  const values = weightsOf(rows, inputs, 6);
  const round = async () => roundByInputs(values, await factorise(await momentsOf(x, x, inputs), inputs, 32, 0.01, product), { blockSize: 32, symmetric: false, product });
  const [first, second] = [await round(), await round()];
  assert.deepEqual(first, second);
  assert.deepEqual([first.quants.length, first.scales.length, first.zeroPoints!.length], [rows * quantBytes(inputs, 4), rows * 3, rows * zeroPointBytes(inputs, 4)]);
  // Padding stands for zero.
  const padded = dequantizeRows(first, 96, 4);
  for (let row = 0; row < rows; row++) assert.ok(padded.subarray(row * 96 + 72, (row + 1) * 96).every((value) => value === 0));
});

test("inputs that were never there, rows of zeros and constant rows do no harm; what is not finite is named", async () => {
  const inputs = 64;
  const x = inputsOf(100, inputs, 7).map((value, at) => (at % inputs < 5 ? 0 : value));
  const factor = await factorise(await momentsOf(x, x, inputs), inputs, 32, 0.01, product);
  const values = new Float32Array(3 * inputs).fill(0.25, inputs, 2 * inputs);
  values.set(weightsOf(1, inputs, 1), 2 * inputs);
  const made = dequantizeRows(await roundByInputs(values, factor, { blockSize: 32, symmetric: false, product }), inputs, 4);
  assert.ok(made.subarray(0, inputs).every((value) => value === 0));
  assert.ok(made.subarray(inputs, 2 * inputs).every((value) => Math.abs(value - 0.25) < 1e-6));
  assert.ok(made.every(Number.isFinite));
  values[inputs + 1] = NaN;
  await assert.rejects(roundByInputs(values, factor, { blockSize: 32, symmetric: false, product }), /a value in row 1 is not finite/);
});

test("drift of the inputs is made up for: products come nearer to the model's own", async () => {
  const [inputs, rows, tokens] = [64, 4, 1000];
  const own = inputsOf(tokens, inputs, 8);
  const random = new Random(9);
  const there = own.map((value) => 0.9 * value + 0.05 * random.normal());
  const values = weightsOf(rows, inputs, 10);
  const factor = await factorise(await momentsOf(there, there, inputs), inputs, 32, 0.001, product);
  const corrected = await correctDrift(values, factor, await momentsOf(there, own.map((value, i) => value - there[i]!), inputs), product);
  const distance = async (weights: Float32Array) => {
    const outputs = (x: Float64Array, w: Float32Array) => product(x, inputsTurned(Float64Array.from(w), inputs), tokens, inputs, rows);
    const [a, b] = [await outputs(own, values), await outputs(there, weights)];
    return Math.hypot(...a.map((value, i) => value - b[i]!));
  };
  assert.ok((await distance(corrected)) < 0.5 * (await distance(values)), `${await distance(corrected)} ${await distance(values)}`);
});
