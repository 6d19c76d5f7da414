import assert from "node:assert/strict";
import { test } from "node:test";
import { normalNumbers } from "./checkpoints.js";
import type { HfConfig } from "./config.js";
import { dot } from "./operations.js";
import { rotaryFrequencies, rotate } from "./rotary.js";
import { variants } from "./variants.js";

const normal = normalNumbers(7);
const vector = (size: number) => Float64Array.from({ length: size }, normal);
const frequencies = rotaryFrequencies(variants.llama);
const close = (a: number, b: number, tolerance = 1e-12) => assert.ok(Math.abs(a - b) <= tolerance, `${a} and ${b}`);

test("rotation to position 0 is the identity", () => {
  const x = vector(8);
  assert.deepEqual(rotate(x, 0, frequencies), x);
});

test("rotation keeps the length of a vector", () => {
  const x = vector(8);
  for (const position of [1, 17, 500]) close(dot(rotate(x, position, frequencies), rotate(x, position, frequencies)), dot(x, x));
});

test("query times key depends on the distance alone", () => {
  const [query, key] = [vector(8), vector(8)];
  const product = (q: number, k: number) => dot(rotate(query, q, frequencies), rotate(key, k, frequencies));
  close(product(9, 4), product(309, 304));
  close(product(9, 4), product(5, 0));
  assert.ok(Math.abs(product(9, 4) - product(9, 5)) > 1e-3);
});

test("features i and i + half are one complex number, multiplied by exp(i angle)", () => {
  const rotated = rotate(Float64Array.of(1, 0, 0, 2), 1, [Math.PI / 2, Math.PI]);
  // (1 + 0i) * i = i; (0 + 2i) * -1 = -2i
  [0, 0, 1, -2].forEach((expected, i) => close(rotated[i]!, expected));
});

test("frequencies fall from 1 to almost 1 / base", () => {
  assert.deepEqual(rotaryFrequencies({ ...variants.llama, head_dim: 4 }), [1, 0.01]);
});

test("linear scaling divides every frequency, in the old and the new layout of the configuration", () => {
  const old: HfConfig = { ...variants.llama, rope_theta: 20000, rope_scaling: { type: "linear", factor: 2 } };
  const expected = rotaryFrequencies({ ...variants.llama, rope_theta: 20000 }).map((frequency) => frequency / 2);
  assert.deepEqual(rotaryFrequencies(old), expected);
  assert.deepEqual(rotaryFrequencies(variants["llama-rope-parameters"] as HfConfig), expected);
});

test("llama3 scaling leaves short waves, divides long ones and blends between", () => {
  const config = variants["llama-llama3"];
  const plain = rotaryFrequencies({ ...config, rope_scaling: null });
  const scaled = rotaryFrequencies(config);
  const turns = plain.map((frequency) => (64 * frequency) / (2 * Math.PI));
  assert.deepEqual(turns.map((t) => (t > 4 ? "short" : t < 1 ? "long" : "between")), ["short", "between", "long", "long"]);
  assert.equal(scaled[0], plain[0]);
  assert.equal(scaled[2], plain[2]! / 8);
  assert.ok(scaled[1]! < plain[1]! && scaled[1]! > plain[1]! / 8);
  // The blend in the form of the published code, by wave lengths.
  const smooth = (64 / ((2 * Math.PI) / plain[1]!) - 1) / (4 - 1);
  close(scaled[1]!, ((1 - smooth) * plain[1]!) / 8 + smooth * plain[1]!);
});

test("an unknown scaling is refused", () => {
  assert.throws(() => rotaryFrequencies({ ...variants.llama, rope_scaling: { type: "yarn", factor: 2 } }), /rope type: yarn/);
});
