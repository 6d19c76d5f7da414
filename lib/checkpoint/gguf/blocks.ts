// ggml's blocks of quantised elements: https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-common.h
import { decodeFloat16 } from "../half.js";
import type { QuantizedRows } from "../quantize.js";
import { ggmlTypes } from "./header.js";

/** The float16 at the start of each block of `bytes` bytes, `at` bytes into it. */
function scalesAt(data: Uint8Array, bytes: number, at = 0): Float32Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return decodeFloat16(Uint16Array.from({ length: data.length / bytes }, (_, block) => view.getUint16(block * bytes + at, true)));
}

/** Q8_0, d and 32 signed bytes: as int8 blocks with 128 for zero, nothing lost. */
export function fromQ8(data: Uint8Array): QuantizedRows {
  const { bytes } = ggmlTypes.Q8_0;
  const scales = scalesAt(data, bytes);
  const quants = new Uint8Array(scales.length * 32);
  for (let block = 0; block < scales.length; block++) {
    for (let i = 0; i < 32; i++) quants[block * 32 + i] = data[block * bytes + 2 + i]! ^ 0x80;
  }
  return { quants, scales, zeroPoints: null };
}

/** Q4_0, d and 16 bytes whose low halves are the first 16 elements: as int4 blocks with 8 for zero, nothing lost. */
export function fromQ4(data: Uint8Array): QuantizedRows {
  const { bytes } = ggmlTypes.Q4_0;
  const scales = scalesAt(data, bytes);
  const quants = new Uint8Array(scales.length * 16);
  for (let block = 0; block < scales.length; block++) {
    const source = block * bytes + 2;
    for (let i = 0; i < 8; i++) {
      const [a, b] = [data[source + 2 * i]!, data[source + 2 * i + 1]!];
      quants[block * 16 + i] = (a & 15) | ((b & 15) << 4);
      quants[block * 16 + 8 + i] = (a >> 4) | (b & 0xf0);
    }
  }
  return { quants, scales, zeroPoints: null };
}

/**
 * Q6_K: 256 elements, 128 bytes of low halves, 64 of upper quarters, 16 signed scales of 16 elements each, d.
 * Element 32 q + l of a half (q 0 … 3) has its low bits in byte 32 (q mod 2) + l, low half where q < 2, and its upper two in byte l.
 */
export function fromQ6(data: Uint8Array): Float32Array {
  const { bytes, block: size } = ggmlTypes.Q6_K;
  const scales = scalesAt(data, bytes, 208);
  const values = new Float32Array(scales.length * size);
  for (let block = 0; block < scales.length; block++) {
    const start = block * bytes;
    for (let i = 0; i < size; i++) {
      const [half, within] = [i >> 7, i & 127];
      const [q, l] = [within >> 5, within & 31];
      const low = (data[start + 64 * half + 32 * (q & 1) + l]! >> (q < 2 ? 0 : 4)) & 15;
      const high = (data[start + 128 + 32 * half + l]! >> (2 * q)) & 3;
      const scale = (data[start + 192 + 8 * half + 2 * q + (l >> 4)]! << 24) >> 24;
      values[block * size + i] = scales[block]! * scale * ((low | (high << 4)) - 32);
    }
  }
  return values;
}
