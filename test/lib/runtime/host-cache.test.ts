import assert from "node:assert/strict";
import { test } from "node:test";
import { LayerCache } from "../../../lib/runtime/host-cache.js";

const HEADS = 2;
const WIDTH = 3;
/** Element (head, token, i) is head * 100 + token * 10 + i. */
const kv = (count: number, offset = 0) => {
  const key = new Float32Array(HEADS * count * WIDTH);
  for (let head = 0; head < HEADS; head++)
    for (let token = 0; token < count; token++) for (let i = 0; i < WIDTH; i++) key[(head * count + token) * WIDTH + i] = head * 100 + (token + offset) * 10 + i;
  return { key, value: key.map((x) => -x) };
};
const row = (head: number, token: number) => [0, 1, 2].map((i) => head * 100 + token * 10 + i);

test("chosen rows only, with their positions", () => {
  const cache = new LayerCache(HEADS, WIDTH, 1);
  cache.append(kv(4), 4, [3, 8], Int32Array.of(1, 3));
  cache.append(kv(1, 7), 1, [20]);
  assert.deepEqual([...cache.positions], [3, 8, 20]);
  assert.deepEqual([...cache.key(1)], [...row(1, 1), ...row(1, 3), ...row(1, 7)]);
  assert.deepEqual([...cache.value(0)], [...row(0, 1), ...row(0, 3), ...row(0, 7)].map((x) => -x));
  assert.equal(cache.bytes, 2 * HEADS * 3 * WIDTH * 4);
  assert.throws(() => cache.key(2), /head: 2 \(must be 0 … 1\)/);
});

test("the mask shows filled slots only", () => {
  const cache = new LayerCache(HEADS, WIDTH, 5);
  cache.append(kv(2), 2, [0, 1]);
  assert.deepEqual([...(cache.feeds([2], 1, null).bias.data as Float32Array)], [0, 0, -Infinity, -Infinity, -Infinity]);
});

test("a sliding window hides old positions, and only those", () => {
  const cache = new LayerCache(HEADS, WIDTH, 4);
  cache.append(kv(4), 4, [0, 3, 4, 9]);
  const one = cache.feeds([10], 2, 7);
  assert.deepEqual([...(one.bias.data as Float32Array)], [-Infinity, -Infinity, 0, 0]);
  const two = cache.clone().feeds([10, 11], 2, 7).bias;
  assert.deepEqual(two.dims, [4, 4]);
  assert.deepEqual([...(two.data as Float32Array)], [
    -Infinity, -Infinity, 0, 0,
    -Infinity, -Infinity, -Infinity, 0,
    -Infinity, -Infinity, 0, 0,
    -Infinity, -Infinity, -Infinity, 0,
  ]);
});

test("a clone does not see what the original gets afterwards", () => {
  const cache = new LayerCache(HEADS, WIDTH, 4);
  cache.append(kv(2), 2, [0, 1]);
  const copy = cache.clone();
  cache.append(kv(1, 5), 1, [2]);
  assert.equal(copy.length, 2);
  copy.append(kv(1, 8), 1, [2]);
  assert.deepEqual([...cache.key(0).slice(-3)], row(0, 5));
  assert.deepEqual([...copy.key(0).slice(-3)], row(0, 8));
});
