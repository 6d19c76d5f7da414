import assert from "node:assert/strict";
import { test } from "node:test";
import { LayerCache } from "../../../lib/runtime/layer-cache.js";

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
  const bias = [...(cache.feeds([2], null).bias.data as Float32Array)];
  assert.ok(bias.length >= 5);
  assert.deepEqual(bias, bias.map((_, slot) => (slot < 2 ? 0 : -Infinity)));
});

test("a sliding window hides old positions, and only those", () => {
  const cache = new LayerCache(HEADS, WIDTH, 4);
  cache.append(kv(4), 4, [0, 3, 4, 9]);
  const one = cache.feeds([10], 7);
  const seen = (bias: Float32Array, slots: number) => Array.from({ length: bias.length / slots }, (_, row) => [...bias.subarray(row * slots, (row + 1) * slots).keys()].filter((slot) => bias[row * slots + slot] === 0));
  assert.deepEqual(seen(one.bias.data as Float32Array, one.bias.dims[1]!), [[2, 3]]);
  const two = cache.clone().feeds([10, 11], 7).bias;
  assert.equal(two.dims[0], 2);
  assert.deepEqual(seen(two.data as Float32Array, two.dims[1]!), [[2, 3], [3]]);
});

test("caches of the same tokens have the same room, however they came about, where no more was asked for", () => {
  const room = (cache: LayerCache) => cache.feeds([99], null).bias.dims[1];
  const fill = (cache: LayerCache, from: number, to: number) => {
    for (let at = from; at < to; at++) cache.append(kv(1, at), 1, [at]);
    return cache;
  };
  for (const length of [63, 64, 65, 130]) {
    const [atOnce, stepByStep] = [new LayerCache(HEADS, WIDTH, length), fill(new LayerCache(HEADS, WIDTH, 1), 0, length)];
    atOnce.append(kv(length), length, Array.from({ length }, (_, i) => i));
    const [asked, longer] = [fill(new LayerCache(HEADS, WIDTH, 500), 0, length), fill(new LayerCache(HEADS, WIDTH, 1), 0, length + 40)];
    const rooms = [atOnce, stepByStep, asked.clone({ room: 0 }), longer.clone({ drop: 40, room: 0 })].map(room);
    assert.deepEqual(rooms, rooms.map(() => room(atOnce)));
    assert.ok(room(asked)! >= 500 && room(atOnce)! >= length && room(atOnce)! < length + 64);
  }
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

for (const [dtype, bytes, error] of [["fp16", 2, 2 ** -11], ["int8", 1, 1 / 254]] as const) {
  test(`${dtype}: tokens come back within a level, whatever was chosen, grown and cloned`, () => {
    const cache = new LayerCache(HEADS, WIDTH, 1, dtype);
    const random = (count: number, seed: number) => Float32Array.from({ length: HEADS * count * WIDTH }, (_, i) => 5 * Math.sin(i * 1.3 + seed));
    const [key, value, more] = [random(4, 1), random(4, 2), random(2, 3)];
    cache.append({ key, value }, 4, [3, 8], Int32Array.of(1, 3));
    const copy = cache.clone();
    cache.append({ key: more, value: more }, 2, [9, 10]);
    assert.deepEqual([cache.length, copy.length], [4, 2]);
    for (let head = 0; head < HEADS; head++) {
      const rowOf = (x: Float32Array, count: number, row: number) => [...x.subarray((head * count + row) * WIDTH, (head * count + row + 1) * WIDTH)];
      const expected = [rowOf(key, 4, 1), rowOf(key, 4, 3), rowOf(more, 2, 0), rowOf(more, 2, 1)];
      expected.forEach((values, token) => {
        const most = Math.max(...values.map(Math.abs));
        values.forEach((x, i) => assert.ok(Math.abs(cache.key(head)[token * WIDTH + i]! - x) <= 1.001 * error * most, `${x}`));
      });
      assert.deepEqual(copy.key(head), cache.key(head).subarray(0, 2 * WIDTH));
    }
    assert.equal(cache.bytes, 2 * 4 * HEADS * (WIDTH * bytes + (dtype === "int8" ? 4 : 0)));
    assert.equal(cache.dtype, dtype === "fp16" ? "float16" : "int8");
    // A token of zeros stays one.
    cache.append({ key: new Float32Array(HEADS * WIDTH), value: new Float32Array(HEADS * WIDTH) }, 1, [11]);
    assert.deepEqual([...cache.value(1).subarray(-WIDTH)], [0, 0, 0]);
  });
}
