import assert from "node:assert/strict";
import { test } from "node:test";
import { dequantizeRows, quantizeRows, type Bits } from "../../../lib/checkpoint/quantize.js";

const wave = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i * 0.7) + 0.3 * Math.cos(i * 2.1));

for (const bits of [4, 8] as const) {
  for (const symmetric of [true, false]) {
    test(`${bits} bits, ${symmetric ? "symmetric" : "asymmetric"}: within half a level of each value, whole or broken blocks`, () => {
      for (const columns of [32, 64, 80, 7, 33]) {
        const values = wave(6 * columns);
        const rows = quantizeRows(values, columns, bits, symmetric);
        const blocks = Math.ceil(columns / 32);
        assert.equal(rows.quants.length, 6 * blocks * 4 * bits);
        assert.equal(rows.scales.length, 6 * blocks);
        assert.equal(rows.zeroPoints?.length, symmetric ? undefined : 6 * Math.ceil((blocks * bits) / 8));
        const back = dequantizeRows(rows, columns, bits);
        for (let i = 0; i < values.length; i++) {
          const scale = Math.abs(rows.scales[Math.floor(i / columns) * blocks + Math.floor((i % columns) / 32)]!);
          // The level opposite to the largest magnitude is missing: there the error may be a whole level. So may it where the zero point was rounded.
          assert.ok(Math.abs(back[i]! - values[i]!) <= scale * (1 + 1e-5), `${i}: ${values[i]} became ${back[i]}`);
        }
        const error = Math.hypot(...back.map((x, i) => x - values[i]!)) / Math.hypot(...values);
        assert.ok(error < (bits === 4 ? 0.12 : 0.008), `${columns} columns: ${error}`);
      }
    });
  }
}

test("levels and scale of a block, worked out by hand", () => {
  const values = new Float32Array(32).fill(0.5);
  values.set([-4, 3.5, 1, -1, 0]);
  const symmetric = quantizeRows(values, 32, 4, true);
  assert.equal(symmetric.scales[0], 0.5);
  // -4 / 0.5 + 8 = 0, 3.5 / 0.5 + 8 = 15, low half first.
  assert.deepEqual([...symmetric.quants.subarray(0, 3)], [0xf0, 0x6a, 0x98]);
  const asymmetric = quantizeRows(values, 32, 4, false);
  assert.equal(asymmetric.scales[0], 0.5);
  assert.equal(asymmetric.zeroPoints![0], 8);
  assert.deepEqual(asymmetric.quants, symmetric.quants);
  // All positive: zero is the lowest level.
  const positive = quantizeRows(new Float32Array(32).fill(3), 32, 8, false);
  assert.deepEqual([positive.scales[0], positive.zeroPoints![0], positive.quants[0]], [Math.fround(3 / 255), 0, 255]);
});

test("the second block's zero point is the high half of the byte", () => {
  const values = new Float32Array(96);
  values.set([-3, 12], 0);
  values.set([-10, 5], 32);
  values.set([0, 15], 64);
  const { zeroPoints, quants } = quantizeRows(values, 96, 4, false);
  assert.deepEqual([...zeroPoints!], [0xa3, 0x00]);
  assert.deepEqual([quants[0], quants[16], quants[32]], [0xf0, 0xf0, 0xf0]);
});

test("zeros stay zeros, in a block of zeros too", () => {
  for (const bits of [4, 8] as Bits[]) for (const symmetric of [true, false]) {
    const values = wave(64).fill(0, 20);
    const back = dequantizeRows(quantizeRows(values, 64, bits, symmetric), 64, bits);
    assert.ok(back.subarray(20).every((x) => x === 0));
  }
});

test("the largest magnitude is exact when symmetric, whatever its sign", () => {
  for (const extreme of [-7, 7]) {
    const values = wave(32);
    values[5] = extreme;
    assert.equal(dequantizeRows(quantizeRows(values, 32, 4, true), 32, 4)[5], extreme);
  }
});

test("values that are not finite are refused", () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    const values = wave(64);
    values[40] = bad;
    assert.throws(() => quantizeRows(values, 32, 4, true), /quantisation: a value in row 1 is not finite/);
  }
});
