import { halfAt, type BlockFormat, type Unpacked } from "./block-format.js";

/** Of 32 elements the first 16 have the low halves of 16 bytes, the others the high ones. */
export function halves(bytes: Uint8Array, at: number, levels: Uint8Array): void {
  for (let i = 0; i < 16; i++) {
    const byte = bytes[at + i]!;
    levels[i] = byte & 15;
    levels[i + 16] = byte >> 4;
  }
}

/** The fifth bits of 32 elements, one after the other in 4 bytes. */
const fifth = (bytes: Uint8Array, at: number, i: number): number => ((bytes[at + (i >> 3)]! >> (i & 7)) & 1) << 4;

/** Levels times 8 fill the 8 bits about evenly around their middle, where activations rounded to 8 bits cost least; the scale is an eighth then, exactly. */
function eightfold({ levels, scales }: Unpacked, d: number): void {
  for (let i = 0; i < levels.length; i++) levels[i] = levels[i]! * 8;
  scales[0] = d / 8;
}

/** The formats without super-blocks: 32 elements, a scale d in float16, and where the name ends with 1 what is added, m. */
export const legacy = {
  /** d, 16 bytes: d (q - 8) */
  Q4_0: {
    bits: 4, blockSize: 32, offsets: false,
    unpack(bytes, at, { levels, scales }) {
      scales[0] = halfAt(bytes, at);
      halves(bytes, at + 2, levels);
    },
  },
  /** d, m, 16 bytes: d q + m */
  Q4_1: {
    bits: 4, blockSize: 32, offsets: true,
    unpack(bytes, at, { levels, scales, offsets }) {
      scales[0] = halfAt(bytes, at);
      offsets[0] = halfAt(bytes, at + 2);
      halves(bytes, at + 4, levels);
    },
  },
  /** d, 4 bytes of fifth bits, 16 bytes: d (q - 16) */
  Q5_0: {
    bits: 8, blockSize: 32, offsets: false,
    unpack(bytes, at, { levels, scales }) {
      scales[0] = halfAt(bytes, at);
      halves(bytes, at + 6, levels);
      for (let i = 0; i < 32; i++) levels[i] = (levels[i]! | fifth(bytes, at + 2, i)) - 16 + 128;
    },
  },
  /** d, m, 4 bytes of fifth bits, 16 bytes: d q + m */
  Q5_1: {
    bits: 8, blockSize: 32, offsets: true,
    unpack(bytes, at, out) {
      halves(bytes, at + 8, out.levels);
      for (let i = 0; i < 32; i++) out.levels[i]! |= fifth(bytes, at + 4, i);
      eightfold(out, halfAt(bytes, at));
      out.offsets[0] = halfAt(bytes, at + 2);
    },
  },
  /** d, 32 signed bytes: d q */
  Q8_0: {
    bits: 8, blockSize: 32, offsets: false,
    unpack(bytes, at, { levels, scales }) {
      scales[0] = halfAt(bytes, at);
      for (let i = 0; i < 32; i++) levels[i] = bytes[at + 2 + i]! ^ 0x80;
    },
  },
} as const satisfies Record<string, BlockFormat>;
