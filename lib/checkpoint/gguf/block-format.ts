import { decodeFloat16 } from "../half.js";
import type { Bits } from "../quantize.js";

/** What a block's bytes hold, filled in by a format. */
export interface Unpacked {
  /** One for each element. */
  readonly levels: Uint8Array;
  /** One for each `blockSize` elements. */
  readonly scales: Float32Array;
  readonly offsets: Float32Array;
}

/** How the engine holds a type of ggml's. */
export interface BlockFormat {
  readonly bits: Bits;
  /** Elements that share a scale. */
  readonly blockSize: 16 | 32;
  /** An element is `level * scale + offset`; else `(level - middle) * scale`, the middle being 8 of 4 bits and 128 of 8. */
  readonly offsets: boolean;
  /** Unpacks the block that starts at byte `at`. */
  unpack(bytes: Uint8Array, at: number, out: Unpacked): void;
}

/** The float16 at byte `at`. */
export function halfAt(bytes: Uint8Array, at: number): number {
  half[0] = bytes[at]! | (bytes[at + 1]! << 8);
  return decodeFloat16(half, float)[0]!;
}
const half = new Uint16Array(1);
const float = new Float32Array(1);

/** A byte with its sign. */
export const signed = (byte: number): number => (byte << 24) >> 24;
