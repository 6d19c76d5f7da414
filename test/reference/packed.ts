// Writes the formats of quantised checkpoints from levels, zero points and scales, straight from their descriptions: one element at a time.
import { decodeFloat16, encodeFloat16 } from "../../lib/checkpoint/half.js";
import type { TensorToWrite } from "../../lib/checkpoint/safetensors.js";
import { normalNumbers } from "./checkpoints.js";

/** A matrix `[out, in]` as levels: element (o, i) is (levels[o][i] - zeros[o][group of i]) * scales[o][group of i]. */
export interface Quantised {
  readonly out: number;
  readonly inputs: number;
  readonly bits: number;
  readonly groups: number;
  readonly levels: number[][];
  readonly zeros: number[][];
  readonly scales: number[][];
  /** Of each input. */
  readonly group: number[];
}

export interface Shape {
  readonly bits: number;
  /** -1: one group. */
  readonly groupSize: number;
  readonly symmetric?: boolean;
  /** Groups of inputs that do not stand side by side. */
  readonly mixed?: boolean;
  readonly lowestZero?: number;
}

/** Random levels of about the size of a weight's, scales that float16 holds. */
export function quantised(out: number, inputs: number, { bits, groupSize, symmetric = false, mixed = false, lowestZero = 0 }: Shape, seed: number): Quantised {
  const normal = normalNumbers(seed);
  const below = (n: number) => Math.floor(Math.abs(normal() * 1e6)) % n;
  const size = groupSize === -1 ? inputs : groupSize;
  const groups = Math.ceil(inputs / size);
  const group = Array.from({ length: inputs }, (_, i) => Math.floor(i / size));
  if (mixed) for (let i = inputs - 1; i > 0; i--) { const j = below(i + 1); [group[i], group[j]] = [group[j]!, group[i]!]; }
  const top = 2 ** bits;
  const half = (x: number) => decodeFloat16(encodeFloat16(Float32Array.of(x)))[0]!;
  const table = (rows: number, columns: number, value: () => number) => Array.from({ length: rows }, () => Array.from({ length: columns }, value));
  return {
    out, inputs, bits, groups, group,
    levels: table(out, inputs, () => below(top)),
    zeros: table(out, groups, () => (symmetric ? top / 2 : lowestZero + below(top - lowestZero))),
    scales: table(out, groups, () => half((0.5 + Math.abs(normal())) / (top * Math.sqrt(inputs)))),
  };
}

/** What it stands for, in float32, `[out, in]`. */
export function values({ levels, zeros, scales, group }: Quantised): Float32Array {
  return Float32Array.from(levels.flatMap((row, o) => row.map((level, i) => (level - zeros[o]![group[i]!]!) * scales[o]![group[i]!]!)));
}

/** Numbers of `bits` bits as one string of bits, lowest first, in 32-bit words. */
function stream(numbers: readonly number[], bits: number): number[] {
  const words = new Array<number>(Math.ceil((numbers.length * bits) / 32)).fill(0);
  numbers.forEach((number, i) => {
    for (let bit = 0; bit < bits; bit++) if ((number >> bit) & 1) words[Math.floor((i * bits + bit) / 32)]! |= 1 << ((i * bits + bit) % 32);
  });
  return words;
}

const transposed = (rows: readonly (readonly number[])[]): number[][] => rows[0]!.map((_, column) => rows.map((row) => row[column]!));
const integers = (name: string, rows: readonly (readonly number[])[]): TensorToWrite => ({ name, dtype: "I32", shape: [rows.length, rows[0]!.length], data: Int32Array.from(rows.flat()) });
const halves = (name: string, rows: readonly (readonly number[])[]): TensorToWrite => ({ name, dtype: "F16", shape: [rows.length, rows[0]!.length], data: Float32Array.from(rows.flat()) });

/** @param version 1 stores zero points less one; they must be 1 at least */
export function gptq(base: string, q: Quantised, { version = 1, index = true } = {}): TensorToWrite[] {
  const { bits, levels, zeros, scales, group } = q;
  const stored = transposed(zeros).map((row) => row.map((zero) => (version === 1 ? zero - 1 : zero)));
  return [
    integers(`${base}.qweight`, transposed(levels.map((row) => stream(row, bits)))),
    integers(`${base}.qzeros`, stored.map((row) => stream(row, bits))),
    halves(`${base}.scales`, transposed(scales)),
    ...(index ? [{ name: `${base}.g_idx`, dtype: "I32" as const, shape: [group.length], data: Int32Array.from(group) }] : []),
  ];
}

/** Of eight outputs, those that stand in a word from the lowest bits up. */
const awqOrder = [0, 2, 4, 6, 1, 3, 5, 7];

export function awq(base: string, { levels, zeros, scales }: Quantised): TensorToWrite[] {
  const pack = (row: readonly number[]) => Array.from({ length: row.length / 8 }, (_, word) => stream(awqOrder.map((place) => row[8 * word + place]!), 4)[0]!);
  return [integers(`${base}.qweight`, transposed(levels).map(pack)), integers(`${base}.qzeros`, transposed(zeros).map(pack)), halves(`${base}.scales`, transposed(scales))];
}

/** compressed-tensors' "pack-quantized"; zero points only where given. */
export function packQuantized(base: string, { out, inputs, bits, groups, levels, zeros, scales, group }: Quantised, { symmetric = true, index = false } = {}): TensorToWrite[] {
  const padded = (row: readonly number[]) => [...row, ...new Array<number>((32 / bits - (row.length % (32 / bits))) % (32 / bits)).fill(0)];
  return [
    integers(`${base}.weight_packed`, levels.map((row) => stream(padded(row), bits))),
    halves(`${base}.weight_scale`, scales),
    { name: `${base}.weight_shape`, dtype: "I64", shape: [2], data: BigInt64Array.of(BigInt(out), BigInt(inputs)) },
    ...(symmetric ? [] : [integers(`${base}.weight_zero_point`, transposed(Array.from({ length: groups }, (_, g) => stream(padded(zeros.map((row) => row[g]!)), bits))))]),
    ...(index ? [{ name: `${base}.weight_g_idx`, dtype: "I32" as const, shape: [group.length], data: Int32Array.from(group) }] : []),
  ];
}

/** compressed-tensors' "int-quantized", of 8 bits around zero. */
export function intQuantized(base: string, { out, inputs, groups, levels, zeros, scales }: Quantised, { symmetric = true } = {}): TensorToWrite[] {
  const signed = (rows: readonly (readonly number[])[]) => Int8Array.from(rows.flat(), (level) => level - 128);
  const raw = (array: Int8Array) => new Uint8Array(array.buffer);
  return [
    { name: `${base}.weight`, dtype: "I8", shape: [out, inputs], data: raw(signed(levels)) },
    halves(`${base}.weight_scale`, scales),
    ...(symmetric ? [] : [{ name: `${base}.weight_zero_point`, dtype: "I8" as const, shape: [out, groups], data: raw(signed(zeros)) }]),
  ];
}

/** The float that eight bits are: sign, four bits of exponent (bias 7), three of fraction. */
export function e4m3(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 7, (bits >> 3) & 15, bits & 7];
  const size = exponent === 0 ? (fraction / 8) * 2 ** -6 : exponent === 15 && fraction === 7 ? NaN : (1 + fraction / 8) * 2 ** (exponent - 7);
  return sign ? -size : size;
}

/** Random 8-bit floats `[out, in]` with a scale for each block; `values` in float32. */
export function fp8(base: string, out: number, inputs: number, [height, width]: readonly [number, number], { scaleName = "weight_scale_inv", shape }: { scaleName?: string; shape?: number[] }, seed: number): { tensors: TensorToWrite[]; values: Float32Array } {
  const normal = normalNumbers(seed);
  const [down, across] = [Math.ceil(out / height), Math.ceil(inputs / width)];
  const bits = Uint8Array.from({ length: out * inputs }, () => Math.floor(Math.abs(normal() * 1e6)) % 256).map((each) => ((each & 0x7f) === 0x7f ? each ^ 1 : each));
  const scales = Float32Array.from({ length: down * across }, () => (0.5 + Math.abs(normal())) / (200 * Math.sqrt(inputs)));
  return {
    tensors: [
      { name: `${base}.weight`, dtype: "F8_E4M3", shape: [out, inputs], data: bits },
      { name: `${base}.${scaleName}`, dtype: "F32", shape: shape ?? [down, across], data: scales },
    ],
    values: Float32Array.from(bits, (each, at) => e4m3(each) * scales[Math.floor(Math.floor(at / inputs) / height) * across + Math.floor((at % inputs) / width)]!),
  };
}
