// compressed-tensors' integers. "pack-quantized": `weight_packed` I32 `[out, in * bits / 32]`, packed along the rows, `weight_shape` I64 `[2]`;
// "int-quantized": `weight` I8 `[out, in]`. Both: `weight_scale`, one for each output, each group of inputs, or all; where asymmetric
// `weight_zero_point`; with activation order `weight_g_idx`. An element is (q - zero point) * scale, q around 0.
// https://github.com/neuralmagic/compressed-tensors
import { readFloats, readTensor } from "../safetensors.js";
import type { StoredTensor } from "../types.js";
import { integerAt } from "./bits.js";
import { groupOrder } from "./gptq.js";
import { blockSizeOf, toBlocks } from "./rows.js";
import { floatDtypes, part, wrongTensor, type PackedRows, type PackedWeight } from "./weight.js";

export interface CompressedSettings {
  /** Bits that the config's groups name. */
  readonly bits: readonly number[];
  /** Group sizes that they name; null: one group for all of a row. */
  readonly groupSizes: readonly (number | null)[];
  readonly where: string;
}

type Tensors = ReadonlyMap<string, StoredTensor>;

/** All modules with packed or 8-bit integer weights. @throws on parts that are missing or do not fit each other or the settings */
export async function compressedWeights(stored: Tensors, settings: CompressedSettings): Promise<PackedWeight[]> {
  const weights: PackedWeight[] = [];
  for (const tensor of stored.values()) {
    if (tensor.name.endsWith(".weight_packed")) weights.push(await packed(stored, tensor, settings));
    else if (tensor.name.endsWith(".weight") && tensor.dtype === "I8") weights.push(integers(stored, tensor, settings));
  }
  return weights;
}

async function packed(stored: Tensors, tensor: StoredTensor, settings: CompressedSettings): Promise<PackedWeight> {
  const base = tensor.name.slice(0, -".weight_packed".length);
  const shapeTensor = part(stored, base, "weight_shape", ["I64", "I32"], [2], "the shape of the unpacked weight");
  const [out, inputs] = Array.from((await readTensor(shapeTensor)) as BigInt64Array | Int32Array, Number) as [number, number];
  const words = tensor.shape[1];
  const bits = settings.bits.find((each) => (each === 4 || each === 8) && words === Math.ceil((inputs * each) / 32)) as 4 | 8 | undefined;
  if (tensor.dtype !== "I32" || tensor.shape.length !== 2 || tensor.shape[0] !== out || bits === undefined) {
    throw wrongTensor(tensor, `must be I32 [${out}, ${inputs} * bits / 32], as weight_shape says, with num_bits 4 or 8 (${settings.where} names ${settings.bits.join(", ")})`);
  }
  const { scales, groups, groupSize, blockSize } = grouping(stored, base, out, inputs, settings);
  const zeros = stored.get(`${base}.weight_zero_point`);
  const perWord = 32 / bits;
  const packedZeros = zeros?.dtype === "I32";
  if (zeros) part(stored, base, "weight_zero_point", ["I32", "I8"], packedZeros ? [Math.ceil(out / perWord), groups] : [out, groups], "zero points of each group");
  const index = stored.get(`${base}.weight_g_idx`);
  if (index) part(stored, base, "weight_g_idx", ["I32"], [inputs], "the group of each input");
  const order = index ? groupOrder(index, (await readTensor(index)) as Int32Array, groups, groupSize) : null;
  return {
    name: `${base}.weight`, shape: [out, inputs], bits, blockSize, zeroPoints: zeros !== undefined, ordered: order !== null,
    parts: [tensor, shapeTensor, scales, ...(zeros ? [zeros] : []), ...(index ? [index] : [])],
    async read(): Promise<PackedRows> {
      const elements = (await readTensor(tensor)) as Int32Array;
      const scale = await scaleOf(scales, groups);
      const points = zeros && ((await readTensor(zeros)) as Int32Array | Int8Array);
      const blocks = toBlocks({
        rows: out, columns: inputs, bits, blockSize, groupSize, scale,
        fill: (row, levels) => {
          const line = { words: elements, start: row * words!, step: 1 };
          for (let column = 0; column < inputs; column++) levels[column] = integerAt(line, order ? order[column]! : column, bits);
        },
        zero: !points ? null : packedZeros
          ? (row, group) => integerAt({ words: points as Int32Array, start: group, step: groups }, row, bits)
          : (row, group) => points[row * groups + group]! + 2 ** (bits - 1),
      });
      return { ...blocks, order };
    },
  };
}

function integers(stored: Tensors, tensor: StoredTensor, settings: CompressedSettings): PackedWeight {
  const base = tensor.name.slice(0, -".weight".length);
  if (tensor.shape.length !== 2) throw wrongTensor(tensor, "must be I8 [out, in]");
  const [out, inputs] = tensor.shape as [number, number];
  const { scales, groups, groupSize, blockSize } = grouping(stored, base, out, inputs, settings);
  const zeros = stored.get(`${base}.weight_zero_point`);
  if (zeros && (zeros.dtype !== "I8" || zeros.shape.reduce((a, b) => a * b, 1) !== scales.shape.reduce((a, b) => a * b, 1))) throw wrongTensor(zeros, `must be I8 [${scales.shape.join(", ")}], as ${scales.name} is`);
  return {
    name: tensor.name, shape: [out, inputs], bits: 8, blockSize, zeroPoints: zeros !== undefined, ordered: false,
    parts: [tensor, scales, ...(zeros ? [zeros] : [])],
    async read(): Promise<PackedRows> {
      const elements = (await readTensor(tensor)) as Int8Array;
      const scale = await scaleOf(scales, groups);
      const points = zeros && ((await readTensor(zeros)) as Int8Array);
      const blocks = toBlocks({
        rows: out, columns: inputs, bits: 8, blockSize, groupSize, scale,
        fill: (row, levels) => {
          for (let column = 0; column < inputs; column++) levels[column] = elements[row * inputs + column]! + 128;
        },
        zero: points ? (row, group) => points[points.length === 1 ? 0 : row * groups + group]! + 128 : null,
      });
      return { ...blocks, order: null };
    },
  };
}

function grouping(stored: Tensors, base: string, out: number, inputs: number, { groupSizes, where }: CompressedSettings) {
  const scales = stored.get(`${base}.weight_scale`);
  if (!scales) throw new Error(`tensor ${base}.weight_scale: missing (must be there beside the weight, ${where})`);
  const single = scales.shape.reduce((a, b) => a * b, 1) === 1;
  const groups = single ? 1 : scales.shape.length === 2 && scales.shape[0] === out ? scales.shape[1]! : NaN;
  const groupSize = groups === 1 ? inputs : groupSizes.find((size) => size !== null && Math.ceil(inputs / size) === groups);
  if (!(floatDtypes as readonly string[]).includes(scales.dtype) || !groupSize) {
    const right = groupSizes.map((size) => `[${out}, ${size === null ? 1 : Math.ceil(inputs / size)}]`).join(" or ");
    throw wrongTensor(scales, `must be F16, BF16 or F32 ${right}, as ${where} groups ${inputs} inputs`);
  }
  const blockSize = blockSizeOf(groupSize, inputs);
  if (blockSize === null) throw new Error(`${where}: group_size: ${groupSize} (must be a multiple of 16, or -1)`);
  return { scales, groups, groupSize, blockSize };
}

async function scaleOf(scales: StoredTensor, groups: number): Promise<(row: number, group: number) => number> {
  const factors = await readFloats(scales);
  return factors.length === 1 ? () => factors[0]! : (row, group) => factors[row * groups + group]!;
}
