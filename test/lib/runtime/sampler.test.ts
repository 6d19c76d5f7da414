import assert from "node:assert/strict";
import { test } from "node:test";
import { greedy, sampler } from "../../../lib/runtime/sampler.js";

const logits = Float32Array.from([1, 3, 2, 3, -1]);
const draws = (choose: (logits: Float32Array) => number, count: number) => Array.from({ length: count }, () => choose(logits));

test("greedy takes the first of the likeliest tokens", () => {
  assert.equal(greedy(logits), 1);
  assert.equal(sampler()(logits), 1);
  assert.equal(sampler({ temperature: 0, seed: 5 })(logits), 1);
});

test("the same seed draws the same tokens, another seed others", () => {
  const first = draws(sampler({ temperature: 1, seed: 1 }), 50);
  assert.deepEqual(draws(sampler({ temperature: 1, seed: 1 }), 50), first);
  assert.notDeepEqual(draws(sampler({ temperature: 1, seed: 2 }), 50), first);
});

test("frequencies follow the softmax at the temperature", () => {
  const temperature = 1.5;
  const weights = Array.from(logits, (x) => Math.exp(x / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  const count = 20000;
  const drawn = draws(sampler({ temperature, seed: 3 }), count);
  weights.forEach((weight, id) => {
    const p = weight / total;
    const observed = drawn.filter((token) => token === id).length / count;
    assert.ok(Math.abs(observed - p) < 5 * Math.sqrt((p * (1 - p)) / count), `token ${id}: ${observed} instead of ${p}`);
  });
});

test("top-k leaves the k likeliest", () => {
  assert.deepEqual([...new Set(draws(sampler({ temperature: 2, topK: 2, seed: 4 }), 200))].sort(), [1, 3]);
});

test("top-p leaves the fewest tokens that reach p", () => {
  // The two likeliest have 0.40 each, the third 0.15.
  assert.deepEqual([...new Set(draws(sampler({ temperature: 1, topP: 0.5, seed: 4 }), 200))].sort(), [1, 3]);
  assert.deepEqual([...new Set(draws(sampler({ temperature: 1, topP: 0.3, seed: 4 }), 200))], [1]);
});

test("values out of range are named", () => {
  assert.throws(() => sampler({ temperature: -1 }), /temperature: -1/);
  assert.throws(() => sampler({ temperature: NaN }), /temperature: NaN/);
  assert.throws(() => sampler({ topK: 0 }), /top-k: 0/);
  assert.throws(() => sampler({ topP: 1.5 }), /top-p: 1.5/);
});
