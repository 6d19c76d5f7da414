// ggml's blocks of quantised elements as blocks that the engine multiplies, with nothing lost: element for element,
// `dequantizeRows` of the result gives the float32 numbers of ggml's own dequantisers, bit for bit.
// https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-common.h, ggml-quants.c
import type { QuantizedRows } from "../quantize.js";
import type { BlockFormat } from "./block-format.js";
import { kQuants } from "./k-quants.js";
import { legacy } from "./legacy.js";
import { tabled } from "./tabled.js";
import { ggmlTypes, type BlockType } from "./types.js";

export const formats: Readonly<Record<BlockType, BlockFormat>> = { ...legacy, ...kQuants, ...tabled };

/** Whole blocks of a type. @param bytes of any number of blocks */
export function fromGgml(bytes: Uint8Array, type: BlockType): QuantizedRows {
  const { bits, blockSize, offsets: hasOffsets, unpack } = formats[type];
  const { block: size, bytes: blockBytes } = ggmlTypes[type];
  const count = bytes.length / blockBytes;
  const groups = size / blockSize;
  const quants = new Uint8Array((count * size * bits) / 8);
  const scales = new Float32Array(count * groups);
  const offsets = new Float32Array(hasOffsets ? count * groups : 0);
  const levels = new Uint8Array(size);
  const [someScales, someOffsets] = [new Float32Array(groups), new Float32Array(groups)];
  for (let block = 0; block < count; block++) {
    unpack(bytes, block * blockBytes, { levels, scales: someScales, offsets: someOffsets });
    scales.set(someScales, block * groups);
    if (hasOffsets) offsets.set(someOffsets, block * groups);
    if (bits === 8) quants.set(levels, block * size);
    else for (let i = 0, at = (block * size) / 2; i < size; i += 2, at++) quants[at] = levels[i]! | (levels[i + 1]! << 4);
  }
  return { quants, scales, zeroPoints: null, offsets: hasOffsets ? offsets : null };
}
