import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from "../../../lib/checkpoint/half.js";

/** Any kind of float32: random bit patterns, those near ties, and the edges of each range. */
function samples(): Float32Array {
  const words = new Uint32Array(400_000);
  let state = 12345;
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    // Half of them within float16's range of exponents, else nearly all would overflow or vanish.
    words[i] = i % 2 ? state : ((state & 0x807fffff) | ((100 + (state >>> 8) % 45) << 23)) >>> 0;
    if (i % 5 === 0) words[i]! &= 0xfffff000;
    if (i % 7 === 0) words[i]! &= 0xffff8000;
  }
  return new Float32Array(words.buffer);
}

/** Every finite value of a 16-bit format in order, with its bits; the next step beyond the largest closes the list. */
function nearestBits(values: Float32Array, beyond: number) {
  const finite: { value: number; bits: number }[] = [];
  for (let bits = 0; bits < 0x8000; bits++) if (Number.isFinite(values[bits]!)) finite.push({ value: values[bits]!, bits });
  finite.sort((a, b) => a.value - b.value);
  finite.push({ value: beyond, bits: finite.at(-1)!.bits + 1 });
  return (x: number): number => {
    const magnitude = Math.abs(x);
    const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
    if (magnitude >= beyond) return sign | finite.at(-1)!.bits;
    let low = 0;
    let high = finite.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (finite[middle]!.value <= magnitude) low = middle;
      else high = middle;
    }
    const below = magnitude - finite[low]!.value;
    const above = finite[high]!.value - magnitude;
    const pick = below < above || (below === above && finite[low]!.bits % 2 === 0) ? low : high;
    return sign | finite[pick]!.bits;
  };
}

const allBits = Uint16Array.from({ length: 65536 }, (_, i) => i);

const formats = [
  { name: "float16", decode: decodeFloat16, encode: encodeFloat16, beyond: 65536, infinity: 0x7c00, quiet: 0x200 },
  { name: "bfloat16", decode: decodeBfloat16, encode: encodeBfloat16, beyond: 2 ** 128, infinity: 0x7f80, quiet: 0x40 },
];

for (const { name, decode, encode, beyond, infinity, quiet } of formats) {
  test(`${name}: every bit pattern survives decoding and encoding, NaN as a quiet NaN`, () => {
    const values = decode(allBits);
    const again = encode(values);
    for (let bits = 0; bits < 65536; bits++) {
      const isNan = (bits & 0x7fff) > infinity;
      assert.equal(Number.isNaN(values[bits]), isNan, `bits ${bits}`);
      if (isNan) assert.ok((again[bits]! & 0x7fff) > infinity && (again[bits]! & quiet) !== 0, `bits ${bits}`);
      else assert.equal(again[bits], bits);
    }
  });

  test(`${name}: encoding rounds to the nearest value, ties to even`, () => {
    const nearest = nearestBits(decode(allBits), beyond);
    const values = samples();
    const encoded = encode(values);
    for (let i = 0; i < values.length; i++) {
      if (!Number.isNaN(values[i])) assert.equal(encoded[i], nearest(values[i]!), `${values[i]}`);
    }
  });
}

test("float16 by the standard's examples", () => {
  const cases: [number, number][] = [
    [0, 0], [-0, 0x8000], [1, 0x3c00], [-2, 0xc000], [65504, 0x7bff], [65519.996, 0x7bff], [65520, 0x7c00],
    [2 ** -14, 0x0400], [2 ** -24, 0x0001], [2 ** -25, 0], [2 ** -25 * 1.0001, 1], [1.5 * 2 ** -24, 2], [1 / 3, 0x3555],
    [Infinity, 0x7c00], [-Infinity, 0xfc00],
  ];
  for (const [value, bits] of cases) assert.equal(encodeFloat16(Float32Array.of(value))[0], bits, `${value}`);
  assert.deepEqual([...decodeFloat16(Uint16Array.of(0x3555, 0x03ff))], [0.333251953125, 1023 * 2 ** -24]);
});

test("a NaN whose payload lies in the low bits stays NaN", () => {
  const values = new Float32Array(Uint32Array.of(0x7f800001, 0xff800001, 0x7fffffff).buffer);
  for (const bits of encodeFloat16(values)) assert.ok((bits & 0x7fff) > 0x7c00);
  for (const bits of encodeBfloat16(values)) assert.ok((bits & 0x7fff) > 0x7f80);
});
