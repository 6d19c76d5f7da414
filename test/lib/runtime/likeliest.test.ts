import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../../lib/random.js";
import { likeliest } from "../../../lib/runtime/likeliest.js";

const plain = (logits: Float32Array, count: number) => Array.from(logits, (_, id) => id).sort((a, b) => logits[b]! - logits[a]! || a - b).slice(0, count);

test("however many are asked for, they are the first of all in order", () => {
  const random = new Random(5);
  const kinds: ((id: number) => number)[] = [
    () => 8 * random.normal(), () => random.int(20) - 10, () => (random.next() < 0.5 ? -0 : 0), (id) => -id, (id) => id,
    () => [-3.4028234663852886e38, 3.4028234663852886e38, 1e-45, -1e-45, 0, -0, 1, -1][random.int(8)]!,
  ];
  for (const kind of kinds) {
    const logits = Float32Array.from({ length: 1000 }, (_, id) => kind(id));
    for (const count of [0, 1, 2, 127, 128, 129, 500, 1000, 2000]) assert.deepEqual(likeliest(logits, count), plain(logits, count), String(count));
  }
  assert.deepEqual(likeliest(Float32Array.of(4), 3), [0]);
});

test("a vocabulary beyond what is sorted at once is an error", () => {
  assert.throws(() => likeliest(new Float32Array(2 ** 21 + 1), 5), /vocabulary: 2097153 tokens \(must be at most 2097152\)/);
});
