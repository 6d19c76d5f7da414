// AWQ as AutoAWQ's "gemm" version writes it: `qweight` I32 `[in, out / 8]`, eight outputs in a word; `qzeros` I32 `[groups, out / 8]` in the same
// packing; `scales` `[groups, out]`. An element is (level - zero) * scale. https://arxiv.org/abs/2306.00978
import { readFloats, readTensor } from "../safetensors.js";
import type { StoredTensor } from "../types.js";
import { transposed } from "./bits.js";
import { blockSizeOf, toBlocks } from "./rows.js";
import { floatDtypes, part, wrongTensor, type PackedRows, type PackedWeight } from "./weight.js";

export interface AwqSettings {
  /** Inputs that share a scale; null: all of a row. */
  readonly groupSize: number | null;
  readonly where: string;
}

/** Where in a word the eight outputs stand: output i in the four bits from 4 * places[i]. */
const places = [0, 4, 1, 5, 2, 6, 3, 7] as const;

/** The weights of all modules that have a `qweight`. @throws on parts that are missing or do not fit each other or the settings */
export function awqWeights(stored: ReadonlyMap<string, StoredTensor>, settings: AwqSettings): PackedWeight[] {
  return [...stored.values()].filter(({ name }) => name.endsWith(".qweight")).map((qweight) => awqWeight(stored, qweight, settings));
}

function awqWeight(stored: ReadonlyMap<string, StoredTensor>, qweight: StoredTensor, { groupSize: given, where }: AwqSettings): PackedWeight {
  const base = qweight.name.slice(0, -".qweight".length);
  if (qweight.dtype !== "I32" || qweight.shape.length !== 2) throw wrongTensor(qweight, "must be I32 [in, out / 8]");
  const [inputs, words] = qweight.shape as [number, number];
  const out = words * 8;
  const groupSize = Math.min(inputs, given ?? inputs);
  const groups = Math.ceil(inputs / groupSize);
  const why = `${where}: group_size ${given ?? -1} makes ${groups} groups of ${inputs} inputs`;
  const scales = part(stored, base, "scales", floatDtypes, [groups, out], why);
  const qzeros = part(stored, base, "qzeros", ["I32"], [groups, words], why);
  const blockSize = blockSizeOf(groupSize, inputs);
  if (blockSize === null) throw new Error(`${where}: group_size: ${groupSize} (must be a multiple of 16, or -1)`);
  return {
    name: `${base}.weight`, shape: [out, inputs], bits: 4, blockSize, parts: [qweight, qzeros, scales], zeroPoints: true, ordered: false,
    async read(): Promise<PackedRows> {
      const elements = transposed((await readTensor(qweight)) as Int32Array, inputs, words);
      const zeros = (await readTensor(qzeros)) as Int32Array;
      const factors = await readFloats(scales);
      const level = (line: Int32Array, row: number, output: number) => (line[row * words + (output >> 3)]! >>> (4 * places[output & 7]!)) & 15;
      const blocks = toBlocks({
        rows: out, columns: inputs, bits: 4, blockSize, groupSize,
        fill: (row, levels) => {
          const [start, shift] = [(row >> 3) * inputs, 4 * places[row & 7]!];
          for (let column = 0; column < inputs; column++) levels[column] = (elements[start + column]! >>> shift) & 15;
        },
        scale: (row, group) => factors[group * out + row]!,
        zero: (row, group) => level(zeros, group, row),
      });
      return { ...blocks, order: null };
    },
  };
}
