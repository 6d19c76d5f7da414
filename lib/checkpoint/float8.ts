// Floats of 8 bits, as ONNX and safetensors have them: https://arxiv.org/abs/2209.05433

const tables = new Map<string, Float32Array>();

/**
 * The 256 values of a format. E4M3: one bit of sign, four of exponent (bias 7), three of fraction, no infinities, NaN with all bits set.
 * E5M2: as IEEE floats, with a bias of 15.
 */
function table(dtype: "F8_E4M3" | "F8_E5M2"): Float32Array {
  let values = tables.get(dtype);
  if (!values) tables.set(dtype, (values = Float32Array.from({ length: 256 }, (_, bits) => (dtype === "F8_E4M3" ? e4m3(bits) : e5m2(bits)))));
  return values;
}

function e4m3(bits: number): number {
  if ((bits & 0x7f) === 0x7f) return NaN;
  return number(bits, 3, 7);
}

function e5m2(bits: number): number {
  if ((bits & 0x7c) === 0x7c) return bits & 3 ? NaN : bits & 0x80 ? -Infinity : Infinity;
  return number(bits, 2, 15);
}

function number(bits: number, fractionBits: number, bias: number): number {
  const sign = bits & 0x80 ? -1 : 1;
  const exponent = (bits & 0x7f) >> fractionBits;
  const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
}

export function decodeFloat8(dtype: "F8_E4M3" | "F8_E5M2", bytes: Uint8Array): Float32Array {
  const values = table(dtype);
  return Float32Array.from(bytes, (bits) => values[bits]!);
}
