import { halfAt, type BlockFormat } from "./block-format.js";

/** Values of the 16 levels of IQ4_NL and IQ4_XS; of MXFP4, in halves (e2m1: a sign, two bits of exponent, one of fraction). */
const iq4 = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
const e2m1 = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/** 16 bytes whose low halves are the first 16 elements, as the table has them: levels of 8 bits, since the steps between them are not even. */
function look(bytes: Uint8Array, at: number, table: readonly number[], levels: Uint8Array, first = 0): void {
  for (let i = 0; i < 16; i++) {
    const byte = bytes[at + i]!;
    levels[first + i] = 128 + table[byte & 15]!;
    levels[first + 16 + i] = 128 + table[byte >> 4]!;
  }
}

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** Half of 2 to the power of an exponent with bias 127, subnormal where it is as small as that. */
function halfPower(exponent: number): number {
  word[0] = exponent < 2 ? 0x00200000 << exponent : (exponent - 1) << 23;
  return float[0]!;
}

/** The formats whose 4 bits are looked up. */
export const tabled = {
  /** d, 16 bytes: d table[q] */
  IQ4_NL: {
    bits: 8, blockSize: 32, offsets: false,
    unpack(bytes, at, { levels, scales }) {
      scales[0] = halfAt(bytes, at);
      look(bytes, at + 2, iq4, levels);
    },
  },
  /** d, eight scales of 6 bits (2 bytes of upper two bits, 4 bytes of lower four), 128 bytes: d (scale - 32) table[q] */
  IQ4_XS: {
    bits: 8, blockSize: 32, offsets: false,
    unpack(bytes, at, { levels, scales }) {
      const d = halfAt(bytes, at);
      for (let group = 0; group < 8; group++) {
        const low = (bytes[at + 4 + (group >> 1)]! >> (4 * (group & 1))) & 15;
        const high = (bytes[at + 2 + (group >> 2)]! >> (2 * (group & 3))) & 3;
        scales[group] = d * ((low | (high << 4)) - 32);
        look(bytes, at + 8 + 16 * group, iq4, levels, 32 * group);
      }
    },
  },
  /** An exponent, 16 bytes: 2^(exponent - 127) e2m1[q] */
  MXFP4: {
    bits: 8, blockSize: 32, offsets: false,
    unpack(bytes, at, { levels, scales }) {
      scales[0] = halfPower(bytes[at]!);
      look(bytes, at + 1, e2m1, levels);
    },
  },
} as const satisfies Record<string, BlockFormat>;
