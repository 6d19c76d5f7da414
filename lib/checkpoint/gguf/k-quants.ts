import { halfAt, signed, type BlockFormat } from "./block-format.js";

/** Rounded to float32, as ggml computes. */
const { fround } = Math;

/** The eight 6-bit scales (`which` 0) or minima (1) of Q4_K and Q5_K, in 12 bytes: the first four whole, the others' upper two bits above those. */
function sixBits(bytes: Uint8Array, at: number, group: number, which: 0 | 1): number {
  const own = bytes[at + 4 * which + (group & 3)]!;
  return group < 4 ? own & 63 : ((bytes[at + 4 + group]! >> (4 * which)) & 15) | ((own >> 2) & 48);
}

/** The K formats: super-blocks of 256 elements, of which each 16 or 32 share an integer scale of a few bits, all of them a scale d in float16. */
export const kQuants = {
  /** 16 bytes (scale, minimum), 64 bytes of 2 bits, d, dmin: d scale q - dmin minimum. Levels are q times 4, with scales of a quarter, to lie around the middle. */
  Q2_K: {
    bits: 4, blockSize: 16, offsets: true,
    unpack(bytes, at, { levels, scales, offsets }) {
      const [d, least] = [halfAt(bytes, at + 80), halfAt(bytes, at + 82)];
      for (let group = 0; group < 16; group++) {
        const byte = bytes[at + group]!;
        scales[group] = fround(d * (byte & 15)) / 4;
        offsets[group] = -fround(least * (byte >> 4));
      }
      for (let i = 0; i < 256; i++) levels[i] = ((bytes[at + 16 + 32 * (i >> 7) + (i & 31)]! >> (2 * ((i >> 5) & 3))) & 3) << 2;
    },
  },
  /** 32 bytes of third bits, 64 bytes of 2 bits, 12 bytes of scales of 6 bits, d: d (scale - 32) (q - 4) */
  Q3_K: {
    bits: 4, blockSize: 16, offsets: false,
    unpack(bytes, at, { levels, scales }) {
      const d = halfAt(bytes, at + 108);
      for (let group = 0; group < 16; group++) {
        const low = (bytes[at + 96 + (group & 7)]! >> (group < 8 ? 0 : 4)) & 15;
        const high = (bytes[at + 104 + (group & 3)]! >> (2 * (group >> 2))) & 3;
        scales[group] = d * ((low | (high << 4)) - 32);
      }
      for (let i = 0; i < 256; i++) {
        const low = (bytes[at + 32 + 32 * (i >> 7) + (i & 31)]! >> (2 * ((i >> 5) & 3))) & 3;
        levels[i] = 8 + low - (((bytes[at + (i & 31)]! >> (i >> 5)) & 1) === 1 ? 0 : 4);
      }
    },
  },
  /** d, dmin, 12 bytes of scales and minima of 6 bits, 128 bytes of 4 bits: d scale q - dmin minimum */
  Q4_K: {
    bits: 4, blockSize: 32, offsets: true,
    unpack(bytes, at, { levels, scales, offsets }) {
      const [d, least] = [halfAt(bytes, at), halfAt(bytes, at + 2)];
      for (let group = 0; group < 8; group++) {
        scales[group] = d * sixBits(bytes, at + 4, group, 0);
        offsets[group] = -fround(least * sixBits(bytes, at + 4, group, 1));
      }
      for (let i = 0; i < 256; i++) levels[i] = (bytes[at + 16 + 32 * (i >> 6) + (i & 31)]! >> (4 * ((i >> 5) & 1))) & 15;
    },
  },
  /** d, dmin, 12 bytes of scales and minima of 6 bits, 32 bytes of fifth bits, 128 bytes of 4 bits. Levels are q times 8, scales an eighth, as of Q5_1. */
  Q5_K: {
    bits: 8, blockSize: 32, offsets: true,
    unpack(bytes, at, { levels, scales, offsets }) {
      const [d, least] = [halfAt(bytes, at), halfAt(bytes, at + 2)];
      for (let group = 0; group < 8; group++) {
        scales[group] = fround(d * sixBits(bytes, at + 4, group, 0)) / 8;
        offsets[group] = -fround(least * sixBits(bytes, at + 4, group, 1));
      }
      for (let i = 0; i < 256; i++) {
        const low = (bytes[at + 48 + 32 * (i >> 6) + (i & 31)]! >> (4 * ((i >> 5) & 1))) & 15;
        levels[i] = (low | (((bytes[at + 16 + (i & 31)]! >> (i >> 5)) & 1) << 4)) << 3;
      }
    },
  },
  /** 128 bytes of 4 bits, 64 bytes of upper 2 bits, 16 signed scales, d: d scale (q - 32) */
  Q6_K: {
    bits: 8, blockSize: 16, offsets: false,
    unpack(bytes, at, { levels, scales }) {
      const d = halfAt(bytes, at + 208);
      for (let group = 0; group < 16; group++) scales[group] = d * signed(bytes[at + 192 + group]!);
      for (let i = 0; i < 256; i++) {
        const [half, q, l] = [i >> 7, (i >> 5) & 3, i & 31];
        const low = (bytes[at + 64 * half + 32 * (q & 1) + l]! >> (q < 2 ? 0 : 4)) & 15;
        const high = (bytes[at + 128 + 32 * half + l]! >> (2 * q)) & 3;
        levels[i] = (low | (high << 4)) - 32 + 128;
      }
    },
  },
  /** d in float32, 256 signed bytes, 16 sums of them that products need: d q */
  Q8_K: {
    bits: 8, blockSize: 32, offsets: false,
    unpack(bytes, at, { levels, scales }) {
      scales.fill(new DataView(bytes.buffer, bytes.byteOffset + at, 4).getFloat32(0, true));
      for (let i = 0; i < 256; i++) levels[i] = bytes[at + 4 + i]! ^ 0x80;
    },
  },
} as const satisfies Record<string, BlockFormat>;
