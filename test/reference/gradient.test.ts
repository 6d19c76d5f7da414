import assert from "node:assert/strict";
import { test } from "node:test";
import { tinyCheckpoint } from "./checkpoints.js";
import { forward } from "./forward.js";
import { centralDifferences, hiddenGradient, nextTokenLoss } from "./gradient.js";
import { crossEntropy, dot, rmsNorm, softmax } from "./operations.js";

const ids = [5, 250, 31, 7, 199, 64];

test("central differences of a polynomial are its derivative, and x is restored", () => {
  const x = Float64Array.of(1, -2, 3);
  const gradient = centralDifferences(() => x[0]! ** 2 + x[0]! * x[1]! + x[2]! ** 2, x, { indices: [0, 2] });
  [0, 6].forEach((expected, i) => assert.ok(Math.abs(gradient[i]! - expected) < 1e-8));
  assert.deepEqual(x, Float64Array.of(1, -2, 3));
});

test("equal logits cost ln(vocabulary) nats; very large ones do not overflow", () => {
  assert.ok(Math.abs(crossEntropy(new Float64Array(274), 9) - Math.log(274)) < 1e-12);
  assert.equal(crossEntropy(Float64Array.of(1e4, 0), 0), 0);
  assert.equal(crossEntropy(Float64Array.of(1e4, 0), 1), 1e4);
});

test("the loss is the mean over the positions asked for", (t) => {
  const { config, weights, remove } = tinyCheckpoint("qwen2");
  t.after(remove);
  const each = ids.slice(0, -1).map((_, position) => nextTokenLoss(config, weights, ids, [position]));
  const mean = each.reduce((a, b) => a + b) / each.length;
  assert.ok(Math.abs(nextTokenLoss(config, weights, ids) - mean) < 1e-12);
  assert.ok(Math.abs(nextTokenLoss(config, weights, ids, [2, 4]) - (each[2]! + each[4]!) / 2) < 1e-12);
  const { logits } = forward(config, weights, ids.slice(0, 4));
  assert.ok(Math.abs(each[3]! - crossEntropy(logits, ids[4]!)) < 1e-12);
});

test("the gradient of the head's weights is (softmax - target) times the normed hidden state", (t) => {
  const { config, weights, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const head = weights.get("lm_head.weight")!;
  const { hidden, logits } = forward(config, weights, ids.slice(0, -1));
  const normed = rmsNorm(hidden.at(-1)!.at(-1)!, weights.get("model.norm.weight")!, config.rms_norm_eps);
  const shares = softmax([...logits]);
  const target = ids.at(-1)!;
  const rows = [target, 0, 273];
  const numeric = centralDifferences(() => nextTokenLoss(config, weights, ids, [ids.length - 2]), head, { indices: rows.map((row) => row * 32 + 5) });
  rows.forEach((row, i) => {
    const expected = (shares[row]! - Number(row === target)) * normed[5]!;
    assert.ok(Math.abs(numeric[i]! - expected) < 1e-8, `${numeric[i]} and ${expected}`);
  });
});

test("the gradient at a hidden state vanishes for a token that predicts nothing, and x times it after the last block", (t) => {
  const { config, weights, remove } = tinyCheckpoint("qwen3-tied", { config: { rms_norm_eps: 1e-12 } });
  t.after(remove);
  const { hidden } = forward(config, weights, ids);
  const last = hiddenGradient(config, weights, ids, 2);
  assert.ok(last.at(-1)!.every((value) => Math.abs(value) < 1e-8));
  // The final norm is blind to a token's length, so its saliency, the derivative along itself, is zero.
  for (const [token, gradient] of last.entries()) assert.ok(Math.abs(dot(gradient, hidden[2]![token]!)) < 1e-7);
  const earlier = hiddenGradient(config, weights, ids, 0);
  assert.ok(earlier.some((gradient, token) => Math.abs(dot(gradient, hidden[0]![token]!)) > 1e-3));
});

test("a loss at a pruned position is refused", (t) => {
  const { config, weights, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const prune = { stages: [{ afterLayer: 0, keep: 4, head: 1, tail: 1 }], score: (_: unknown, positions: number[]) => positions.map((position) => -position) };
  assert.throws(() => nextTokenLoss(config, weights, ids, [4], { prune }), /loss position: 4 \(was pruned\)/);
  assert.ok(nextTokenLoss(config, weights, ids, [2], { prune }) > 0);
});
