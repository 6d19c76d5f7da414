// What `compact` makes of each type: prints the rows of lib/checkpoint/gguf/README.md. Normally distributed numbers are rounded to a type about as
// llama.cpp does (scales and minima at the type's own precision, spanning a block's range), and those values to the compact form.
//   node dist/test/reference/gguf/compact-errors.js
import { formats } from "../../../lib/checkpoint/gguf/blocks.js";
import { ggmlTypes, type BlockType } from "../../../lib/checkpoint/gguf/types.js";
import { nearForms } from "../../../lib/checkpoint/near.js";
import { dequantizeRows } from "../../../lib/checkpoint/quantize.js";
import { heldBytes } from "../../../lib/checkpoint/sizes.js";
import type { StoredTensor } from "../../../lib/checkpoint/types.js";
import { Random } from "../../../lib/random.js";
import { markdownTable } from "./markdown-table.js";

const [ROWS, COLUMNS] = [256, 1024];
const largest = (values: Float32Array) => values.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
const clamp = (value: number, low: number, high: number) => Math.max(low, Math.min(high, value));
/** How much of a block's range its levels span: the best for a type is taken. */
const spans = [1, 0.97, 0.93, 0.9];

/** `each(block)` for all blocks of `size`. */
function blocks(values: Float32Array, size: number, each: (block: Float32Array) => Float32Array): Float32Array {
  const out = new Float32Array(values.length);
  for (let at = 0; at < values.length; at += size) out.set(each(values.subarray(at, at + size)), at);
  return out;
}

/** Levels of `bits` bits around zero, scales of `scaleBits` bits in super-blocks of 256. */
const around = (size: number, bits: number, scaleBits: number | null) => (values: Float32Array, span: number) => blocks(values, 256, (block) => {
  const scales = Array.from({ length: 256 / size }, (_, i) => (span * largest(block.subarray(i * size, (i + 1) * size))) / -(2 ** (bits - 1)));
  const d = scaleBits === null ? 0 : Math.max(...scales.map(Math.abs)) / (2 ** (scaleBits - 1) - 1);
  return block.map((value, i) => {
    const scale = scaleBits === null ? scales[Math.floor(i / size)]! : Math.round(scales[Math.floor(i / size)]! / d) * d;
    return scale === 0 ? 0 : clamp(Math.round(value / scale), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) * scale;
  });
});

/** Levels of `bits` bits above a minimum. */
const above = (size: number, bits: number, scaleBits: number | null) => (values: Float32Array, span: number) => blocks(values, 256, (block) => {
  const parts = Array.from({ length: 256 / size }, (_, i) => block.subarray(i * size, (i + 1) * size));
  const minima = parts.map((part) => span * Math.max(0, -Math.min(...part)));
  const scales = parts.map((part, i) => (span * Math.max(...part) + minima[i]!) / (2 ** bits - 1));
  const coarse = (list: number[]) => {
    const d = Math.max(...list) / (2 ** (scaleBits ?? 0) - 1);
    return scaleBits === null ? list : list.map((value) => Math.round(value / d) * d);
  };
  const [s, m] = [coarse(scales), coarse(minima)];
  return block.map((value, i) => {
    const [scale, least] = [s[Math.floor(i / size)]!, m[Math.floor(i / size)]!];
    return (scale === 0 ? 0 : clamp(Math.round((value + least) / scale), 0, 2 ** bits - 1) * scale) - least;
  });
});

/** Levels of a table, at the best of some scales. */
const looked = (table: readonly number[], scales: (most: number) => number[]) => (values: Float32Array) => blocks(values, 32, (block) => {
  const candidates = scales(largest(block)).map((scale) => block.map((value) => scale * table.reduce((a, b) => (Math.abs(b * scale - value) < Math.abs(a * scale - value) ? b : a))));
  const error = (held: Float32Array) => held.reduce((sum, value, i) => sum + (value - block[i]!) ** 2, 0);
  return candidates.reduce((a, b) => (error(b) < error(a) ? b : a));
});

const iq4 = looked([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], (most) => [0.95, 1, 1.05, 1.1].map((f) => (f * most) / -127));
const types: [BlockType, (values: Float32Array, span: number) => Float32Array, "experts"?][] = [
  ["IQ4_NL", iq4], ["IQ4_XS", iq4],
  ["MXFP4", looked([-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12], (most) => [0, 1].map((up) => 2 ** (Math.floor(Math.log2(Math.abs(most))) - 3 + up)))],
  ["Q2_K", above(16, 2, 4)], ["Q3_K", around(16, 3, 6)], ["Q5_0", around(32, 5, null)], ["Q5_1", above(32, 5, null)], ["Q5_K", above(32, 5, 6)], ["Q6_K", around(16, 6, 8)],
  ["Q4_1", above(32, 4, null), "experts"], ["Q4_K", above(32, 4, 6), "experts"],
];

/** A matrix of a type as it is held. */
function held(type: BlockType, name: string): StoredTensor {
  const { bits, blockSize, offsets } = formats[type];
  const part = (length: number) => ({ name: "", dtype: "F32", shape: [], file: "", offset: 0, length }) as const;
  const scales = part((4 * ROWS * COLUMNS) / blockSize);
  return { ...part((ROWS * COLUMNS * bits) / 8), name, shape: [ROWS, COLUMNS], quantization: { bits, blockSize, scales, zeroPoints: null, offsets: offsets ? scales : null, fileBits: (8 * ggmlTypes[type].bytes) / ggmlTypes[type].block } };
}

const random = new Random(16);
const given = Float32Array.from({ length: ROWS * COLUMNS }, () => random.normal());
const distance = (a: Float32Array, b: Float32Array) => Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / b.reduce((sum, value) => sum + value * value, 0));
const percent = (a: Float32Array, b: Float32Array) => `${(100 * distance(a, b)).toFixed(1)} %`;
process.stdout.write(markdownTable(["type", "compact", "bits an element, in the file", "held", "error of the weights", "the type's own", "both together"], types.map(([type, round, experts]) => {
  const stored = held(type, experts ? "model.layers.0.mlp.experts.0.up_proj.weight" : "model.layers.0.mlp.up_proj.weight");
  const { bits, blockSize, offsets, fileBits } = stored.quantization!;
  const all = ["gate", "up", "down"].map((part) => ({ name: stored.name.replace("up_proj", `${part}_proj`), rows: ROWS, columns: COLUMNS, bits, blockSize, offsets: offsets !== null, fileBits: fileBits! }));
  const form = nearForms(all).get(stored.name)!;
  const values = spans.map((span) => round(given, span)).reduce((a, b) => (distance(b, given) < distance(a, given) ? b : a));
  const rows = form.encode(values, COLUMNS);
  const bytes = rows.quants.length + 4 * rows.scales.length + (rows.zeroPoints?.length ?? 0);
  const compact = dequantizeRows(rows, COLUMNS, form.bits, form.blockSize);
  const each = (size: number) => ((8 * size) / (ROWS * COLUMNS)).toFixed(1);
  return [experts ? `${type}, experts` : type, `${form.bits} bits, blocks of ${form.blockSize}`, stored.quantization!.fileBits!.toFixed(1), `${each(bytes)} (without loss ${experts ? "32.0" : each(heldBytes(stored))})`, percent(compact, values), percent(values, given), percent(compact, given)];
})));
