// How numbers and tensors are stored on disk, for tests: rounding to half precision and a safetensors writer.
import { writeFileSync } from "node:fs";

export type Stored = "F32" | "F16" | "BF16";

/** The nearest storable number, ties to even: what a reader must get back. */
export function rounded(value: number, dtype: Stored): number {
  if (dtype === "F32") return Math.fround(value);
  const [precision, minExponent, largest] = dtype === "F16" ? [10, -14, 65504] : [7, -126, 3.3895313892515355e38];
  if (!Number.isFinite(value) || value === 0) return value;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(value))), minExponent);
  const unit = 2 ** (exponent - precision);
  const steps = halfEven(value / unit);
  return Math.abs(steps * unit) > largest ? Math.sign(value) * Infinity : steps * unit;
}

/** Bits of a number that is storable already. */
function bits(value: number, dtype: "F16" | "BF16"): number {
  if (dtype === "BF16") return new Uint32Array(Float32Array.of(value).buffer)[0]! >>> 16;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude === Infinity) return sign | 0x7c00;
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14);
  const steps = magnitude / 2 ** (exponent - 10);
  // The leading one is not stored; a subnormal (fewer than 1024 steps at the smallest exponent) has none.
  return sign | (((exponent + 15) << 10) + steps - 1024);
}

function halfEven(x: number): number {
  const below = Math.floor(x);
  const over = x - below;
  if (over !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

/** A tensor to write; `values` are rounded to `dtype` by the writer. */
export interface TensorToWrite {
  name: string;
  shape: readonly number[];
  values: Float64Array;
  dtype: Stored;
}

/** Writes one safetensors file: header length (8 bytes, little-endian), JSON header padded to 8 bytes, the data. */
export function writeSafetensorsFile(file: string, tensors: readonly TensorToWrite[], metadata?: Record<string, string>): void {
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  const parts: Buffer[] = [];
  let offset = 0;
  for (const { name, shape, values, dtype } of tensors) {
    const data = bytes(values, dtype);
    header[name] = { dtype, shape, data_offsets: [offset, (offset += data.length)] };
    parts.push(data);
  }
  let json = JSON.stringify(header);
  json = json.padEnd(Math.ceil(json.length / 8) * 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(json)));
  writeFileSync(file, Buffer.concat([length, Buffer.from(json), ...parts]));
}

function bytes(values: Float64Array, dtype: Stored): Buffer {
  if (dtype === "F32") return Buffer.from(Float32Array.from(values).buffer);
  return Buffer.from(Uint16Array.from(values, (value) => bits(rounded(value, dtype), dtype)).buffer);
}
