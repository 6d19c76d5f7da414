import assert from "node:assert/strict";
import { test } from "node:test";
import { adamStep, Muon, usesMuon, type TrainedTensor } from "../../../lib/train/optimizer.js";
import { Random } from "../../../lib/random.js";

const tensor = (name: string, shape: number[], values: number[], muon = false): TrainedTensor => ({
  name, shape, values: Float32Array.from(values), momentum: new Float32Array(values.length), variance: new Float32Array(muon ? 0 : values.length),
});

test("Adam's first step is the learning rate against the gradient's sign, whatever its size", () => {
  const x = tensor("norm", [3], [1, 1, 1]);
  adamStep(x, Float32Array.of(1e-3, -5, 0.2), { learningRate: 0.1, weightDecay: 0.5, step: 1 });
  [0.9, 1.1, 0.9].forEach((value, i) => assert.ok(Math.abs(x.values[i]! - value) < 1e-4));
});

test("Adam finds the minimum of a parabola", () => {
  const x = tensor("norm", [2], [3, -2]);
  for (let step = 1; step <= 500; step++) {
    adamStep(x, x.values.map((value, i) => 2 * (value - [1, 0.5][i]!)), { learningRate: 0.05, weightDecay: 0, step });
  }
  assert.ok(Math.abs(x.values[0]! - 1) < 1e-2 && Math.abs(x.values[1]! - 0.5) < 1e-2);
});

test("weight decay shrinks matrices, not vectors", () => {
  const matrix = tensor("embed", [1, 2], [1, 1]);
  const vector = tensor("norm", [2], [1, 1]);
  for (const x of [matrix, vector]) adamStep(x, new Float32Array(2), { learningRate: 0.1, weightDecay: 0.5, step: 1 });
  assert.ok(Math.abs(matrix.values[0]! - 0.95) < 1e-6);
  assert.equal(vector.values[0], 1);
});

for (const [rows, columns] of [[6, 10], [10, 6], [5, 5]] as const) {
  test(`Muon's update of a ${rows}x${columns} matrix is close to orthogonal and keeps the gradient's row and column spaces`, async () => {
    const random = new Random(rows, columns);
    const gradient = Float32Array.from({ length: rows * columns }, () => random.normal());
    const x = tensor("model.layers.0.w", [rows, columns], new Array<number>(rows * columns).fill(0), true);
    const muon = await Muon.create([x], 1);
    await muon.step(new Map([["model.layers.0.w", gradient]]), { learningRate: 1, weightDecay: 0, step: 1 });
    const scale = 0.2 * Math.sqrt(Math.max(rows, columns));
    const update = Array.from(x.values, (value) => -value / scale);
    // Squared singular values are the eigenvalues of the smaller Gram matrix, whose mean is its mean diagonal.
    const small = Math.min(rows, columns);
    const energy = update.reduce((sum, value) => sum + value * value, 0) / small;
    assert.ok(energy > 0.45 && energy < 1.5, `mean squared singular value ${energy}`);
    const alignment = update.reduce((sum, value, i) => sum + value * gradient[i]!, 0);
    assert.ok(alignment > 0, "the step goes against the gradient");
  });
}

test("matrices inside blocks go to Muon, embeddings and vectors to Adam", () => {
  assert.equal(usesMuon("model.layers.3.mlp.up_proj.weight", [512, 192]), true);
  assert.equal(usesMuon("model.layers.3.input_layernorm.weight", [192]), false);
  assert.equal(usesMuon("model.embed_tokens.weight", [2048, 192]), false);
});
