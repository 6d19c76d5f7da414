// MXFP4 as gpt_oss has it: all experts of a block in `NAME_blocks` U8 `[experts, rows, groups, 16]`, two elements of four bits in a byte, the first in the
// low half, and `NAME_scales` U8 `[experts, rows, groups]`, the exponent of two (less 127) that 32 elements share. Rows of gate and up take turns.
// An element is 0, ½, 1, 1½, 2, 3, 4 or 6 with a sign: twice that is a whole number, so that blocks of 8-bit integers hold it exactly.
// https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf
import { readByteRange } from "../safetensors.js";
import type { StoredTensor } from "../types.js";
import { toBlocks } from "./rows.js";
import { part, wrongTensor, type PackedRows, type PackedWeight } from "./weight.js";

/** Twice what each of the 16 codes stands for. */
const doubled = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12] as const;
const GROUP = 32;
const GROUP_BYTES = 16;

/** A matrix for each expert. @throws on blocks and scales that are missing or do not fit each other */
export function mxfp4Weights(stored: ReadonlyMap<string, StoredTensor>): PackedWeight[] {
  return [...stored.values()].filter(({ name }) => name.endsWith("_blocks")).flatMap((blocks) => expertsOf(stored, blocks));
}

function expertsOf(stored: ReadonlyMap<string, StoredTensor>, blocks: StoredTensor): PackedWeight[] {
  const [, base, kind] = /^(.*\.experts)\.(gate_up|down)_proj_blocks$/.exec(blocks.name) ?? [];
  if (base === undefined) throw wrongTensor(blocks, "must be an expert's gate_up_proj_blocks or down_proj_blocks");
  const [experts, rows, groups] = blocks.shape as [number, number, number];
  if (blocks.dtype !== "U8" || blocks.shape.length !== 4 || blocks.shape[3] !== GROUP_BYTES || (kind === "gate_up" && rows % 2 !== 0)) throw wrongTensor(blocks, `must be U8 [experts, rows, groups, ${GROUP_BYTES}]`);
  const scales = part(stored, base, `${kind}_proj_scales`, ["U8"], [experts, rows, groups], `a scale for each of the groups in ${blocks.name}`);
  const places = kind === "down" ? [{ name: "down_proj", first: 0, step: 1 }] : [{ name: "gate_proj", first: 0, step: 2 }, { name: "up_proj", first: 1, step: 2 }];
  return Array.from({ length: experts }, (_, expert) => places.map(({ name, first, step }): PackedWeight => ({
    name: `${base}.${expert}.${name}.weight`, shape: [rows / step, groups * GROUP], bits: 8, blockSize: GROUP, fileBits: (8 * (GROUP_BYTES + 1)) / GROUP, parts: [blocks, scales], zeroPoints: false, ordered: false,
    async read(): Promise<PackedRows> {
      const slice = (tensor: StoredTensor) => readByteRange(tensor, (expert * tensor.length) / experts, tensor.length / experts);
      const [codes, exponents] = [await slice(blocks), await slice(scales)];
      const made = toBlocks({
        rows: rows / step, columns: groups * GROUP, bits: 8, blockSize: GROUP, groupSize: GROUP,
        fill: (row, levels) => {
          const start = (first + row * step) * groups * GROUP_BYTES;
          for (let i = 0; i < groups * GROUP_BYTES; i++) {
            levels[2 * i] = doubled[codes[start + i]! & 15]! + 128;
            levels[2 * i + 1] = doubled[codes[start + i]! >> 4]! + 128;
          }
        },
        scale: (row, group) => 2 ** (exponents[(first + row * step) * groups + group]! - 128),
        zero: null,
      });
      return { ...made, order: null };
    },
  }))).flat();
}
