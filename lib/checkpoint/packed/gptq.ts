// GPTQ as AutoGPTQ and GPTQModel write it, and auto-round in that packing: `qweight` I32 `[in * bits / 32, out]`, integers of a column packed
// down the rows; `qzeros` I32 `[groups, out * bits / 32]`, packed along the rows; `scales` `[groups, out]`; `g_idx` I32 `[in]`, the group of each
// input. An element is (level - zero) * scale; the first version of the format stores zero - 1. https://arxiv.org/abs/2210.17323
import { readFloats, readTensor } from "../safetensors.js";
import type { StoredTensor } from "../types.js";
import { integerAt, integersIn, transposed } from "./bits.js";
import { blockSizeOf, toBlocks } from "./rows.js";
import { floatDtypes, part, wrongTensor, type PackedRows, type PackedWeight } from "./weight.js";

export interface GptqSettings {
  readonly bits: number;
  /** Inputs that share a scale; null: all of a row. */
  readonly groupSize: number | null;
  /** 1: zeros are stored less one. */
  readonly version: 1 | 2;
  /** Some modules have other settings than the rest: then the shapes say. */
  readonly varied: boolean;
  /** Groups are made of inputs in another order, which `g_idx` has. */
  readonly ordered: boolean;
  /** How the settings were given, for errors: `…/config.json: quantization_config`. */
  readonly where: string;
}

const widths = [2, 3, 4, 8];

/** The weights of all modules that have a `qweight`. @throws on parts that are missing or do not fit each other or the settings */
export async function gptqWeights(stored: ReadonlyMap<string, StoredTensor>, settings: GptqSettings): Promise<PackedWeight[]> {
  const weights: PackedWeight[] = [];
  for (const qweight of stored.values()) if (qweight.name.endsWith(".qweight")) weights.push(await gptqWeight(stored, qweight, settings));
  return weights;
}

async function gptqWeight(stored: ReadonlyMap<string, StoredTensor>, qweight: StoredTensor, settings: GptqSettings): Promise<PackedWeight> {
  const base = qweight.name.slice(0, -".qweight".length);
  const { where, ordered } = settings;
  if (qweight.dtype !== "I32" || qweight.shape.length !== 2) throw wrongTensor(qweight, "must be I32 [in * bits / 32, out]");
  const [words, out] = qweight.shape as [number, number];
  const scales = stored.get(`${base}.scales`);
  if (!scales || scales.shape.length !== 2 || scales.shape[1] !== out || !scales.shape[0] || !(floatDtypes as readonly string[]).includes(scales.dtype)) {
    throw scales ? wrongTensor(scales, `must be F16, BF16 or F32 [groups, ${out}], as ${qweight.name} has it`) : new Error(`tensor ${base}.scales: missing (must be there beside ${qweight.name})`);
  }
  const groups = scales.shape[0];
  const index = stored.get(`${base}.g_idx`);
  if (index && (index.dtype !== "I32" || index.shape.length !== 1)) throw wrongTensor(index, "must be I32 [in], the group of each input");
  const group = index ? ((await readTensor(index)) as Int32Array) : null;
  const { bits, groupSize, inputs } = sizes(qweight, words, groups, group, settings);
  if (groups !== Math.ceil(inputs / groupSize)) throw wrongTensor(scales, `${where}: group_size ${groupSize} makes it ${Math.ceil(inputs / groupSize)} groups of ${inputs} inputs`);
  const qzeros = part(stored, base, "qzeros", ["I32"], [groups, Math.ceil((out * bits) / 32)], `zero points of ${groups} groups for ${out} outputs in ${bits} bits`);
  if (ordered && !index) throw new Error(`tensor ${base}.g_idx: missing (${where}: desc_act is true: it must say the group of each of ${inputs} inputs)`);
  const order = index ? groupOrder(index, group!, groups, groupSize) : null;
  const blockSize = blockSizeOf(groupSize, inputs);
  if (blockSize === null) throw new Error(`${where}: group_size: ${groupSize} (must be a multiple of 16, or -1)`);
  const held = bits > 4 ? 8 : 4;
  const middle = await allMiddle(qzeros, out, bits, held, settings.version);
  return {
    name: `${base}.weight`, shape: [out, inputs], bits: held, blockSize, zeroPoints: !middle, ordered: order !== null,
    parts: [qweight, qzeros, scales, ...(index ? [index] : [])],
    async read(): Promise<PackedRows> {
      const elements = transposed((await readTensor(qweight)) as Int32Array, words, out);
      const factors = await readFloats(scales);
      const zeros = await zeroPoints(qzeros, out, bits, settings.version);
      const blocks = toBlocks({
        rows: out, columns: inputs, bits: held, blockSize, groupSize,
        fill: (row, levels) => {
          const line = { words: elements, start: row * words, step: 1 };
          for (let column = 0; column < inputs; column++) levels[column] = integerAt(line, order ? order[column]! : column, bits);
        },
        scale: (row, group) => factors[group * out + row]!,
        zero: middle ? null : (row, group) => zeros[group * out + row]!,
      });
      return { ...blocks, order };
    },
  };
}

/** Bits, group size and inputs of a module: what the settings say, or, where modules differ, its own tensors. @param group of each input */
function sizes(qweight: StoredTensor, words: number, groups: number, group: Int32Array | null, { bits, groupSize, varied, where }: GptqSettings): { bits: number; groupSize: number; inputs: number } {
  const width = varied && group ? (words * 32) / group.length : bits;
  if (!widths.includes(width)) throw varied ? wrongTensor(qweight, "packs elements of 2, 3, 4 or 8 bits") : new Error(`${where}: bits: ${bits} (supported: ${widths.join(", ")})`);
  const inputs = group?.length ?? integersIn(words, width);
  if (integersIn(words, width) !== inputs || (inputs * width) % 32 !== 0) throw wrongTensor(qweight, `must be [${Math.ceil((inputs * width) / 32)}, out] for ${inputs} inputs in ${width} bits (${where})`);
  const given = Math.min(inputs, groupSize ?? inputs);
  const own = varied && Math.ceil(inputs / given) !== groups;
  return { bits: width, groupSize: own ? (group ? largestCount(group) : Math.ceil(inputs / groups)) : given, inputs };
}

function largestCount(group: Int32Array): number {
  const counts = new Map<number, number>();
  for (const each of group) counts.set(each, (counts.get(each) ?? 0) + 1);
  return Math.max(...counts.values());
}

/**
 * Inputs group by group, each group's in their order; null: they stand so already.
 * @throws where a group has not as many as the others
 */
export function groupOrder(tensor: StoredTensor, index: Int32Array, groups: number, groupSize: number): Int32Array | null {
  const counts = new Int32Array(groups);
  for (const group of index) {
    if (!(group >= 0 && group < groups)) throw new Error(`tensor ${tensor.name}: group ${group} in ${tensor.file} (must be 0 … ${groups - 1})`);
    counts[group]!++;
  }
  counts.forEach((count, group) => {
    const right = Math.min(groupSize, index.length - group * groupSize);
    if (count !== right) throw new Error(`tensor ${tensor.name}: ${count} inputs of group ${group} in ${tensor.file} (must be ${right})`);
  });
  if (index.every((group, i) => group === Math.floor(i / groupSize))) return null;
  const next = Int32Array.from({ length: groups }, (_, group) => group * groupSize);
  const order = new Int32Array(index.length);
  index.forEach((group, input) => (order[next[group]!++] = input));
  return order;
}

/** `[groups, out]` */
async function zeroPoints(qzeros: StoredTensor, out: number, bits: number, version: 1 | 2): Promise<Uint8Array> {
  const words = (await readTensor(qzeros)) as Int32Array;
  const [groups, width] = qzeros.shape as [number, number];
  const zeros = new Uint8Array(groups * out);
  // Integers that go over the border of words are taken one by one.
  const whole = 32 % bits === 0;
  if (version === 1 && whole) addOne(words, bits);
  const more = version === 1 && !whole ? 1 : 0;
  for (let group = 0; group < groups; group++) {
    const line = { words, start: group * width, step: 1 };
    for (let row = 0; row < out; row++) zeros[group * out + row] = (integerAt(line, row, bits) + more) & (2 ** bits - 1);
  }
  return zeros;
}

/**
 * One more for every integer. Word by word, a carry going on to the next integer: as GPTQModel does, which has taken the ones away in
 * the same way where a zero point was 0.
 */
function addOne(words: Int32Array, bits: number): void {
  let ones = 0;
  for (let bit = 0; bit < 32; bit += bits) ones |= 1 << bit;
  for (let i = 0; i < words.length; i++) words[i] = words[i]! + ones;
}

async function allMiddle(qzeros: StoredTensor, out: number, bits: number, held: number, version: 1 | 2): Promise<boolean> {
  const middle = 2 ** (held - 1);
  return bits === held && (await zeroPoints(qzeros, out, bits, version)).every((zero) => zero === middle);
}
