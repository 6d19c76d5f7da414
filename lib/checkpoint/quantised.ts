import { byChannelName, byChannelScalesName, headName, offsetsName, scalesName, withHead, zeroPointsName } from "./encode.js";
import { blocksOf, quantBytes, zeroPointBytes, type Bits } from "./quantize.js";
import { requiredTensors, type RequiredTensor } from "./required.js";
import type { ByChannel, ModelConfig, Quantization, StoredTensor } from "./types.js";

/** Block sizes that may be told from a file's shapes, likeliest first. */
const blockSizes = [32, 16, 64, 128, 256] as const;

/**
 * Joins what a file has of a quantised tensor (elements, scales, zero points or offsets) to one tensor with the shape that it stands for.
 * Tensors without scales go through unchanged.
 * @throws on parts whose shapes do not fit
 */
export function joinQuantised(config: ModelConfig, stored: ReadonlyMap<string, StoredTensor>): ReadonlyMap<string, StoredTensor> {
  if (![...stored.keys()].some((name) => name.endsWith(".scales"))) return stored;
  const joined = new Map(stored);
  for (const tensor of tensorsOf(config, stored)) {
    const quants = stored.get(tensor.name);
    const scales = stored.get(scalesName(tensor.name));
    if (!scales || !quants) continue;
    const part = (name: string) => stored.get(name) ?? null;
    const parts = { scales, zeroPoints: part(zeroPointsName(tensor.name)), offsets: part(offsetsName(tensor.name)) };
    const byChannel = channelForm(tensor, stored);
    joined.set(tensor.name, { ...quants, shape: tensor.shape, quantization: { ...quantization(tensor, quants, parts), ...(byChannel && { byChannel }) } });
    for (const { name } of [...Object.values(parts), byChannel?.weights, byChannel?.scales].filter((each) => each != null)) joined.delete(name);
  }
  return joined;
}

/** A tensor's form for prompts, where the file has one. */
function channelForm({ name, shape: [rows, columns] }: RequiredTensor, stored: ReadonlyMap<string, StoredTensor>): ByChannel | null {
  const [weights, scales] = [stored.get(byChannelName(name)), stored.get(byChannelScalesName(name))];
  if (!weights || !scales) return null;
  if (weights.dtype !== "I8" || weights.shape.join() !== `${columns},${rows}` || scales.dtype !== "F32" || scales.shape.join() !== String(rows)) {
    throw new Error(`tensor ${weights.name}: ${weights.file} (must be I8 [${columns}, ${rows}] with F32 [${rows}] scales)`);
  }
  return { weights, scales };
}

/** What the model needs, and a head of its own where the embedding serves as one but is held otherwise. */
function tensorsOf(config: ModelConfig, stored: ReadonlyMap<string, StoredTensor>): RequiredTensor[] {
  const tensors = requiredTensors(config);
  return stored.has(headName) && !tensors.some(({ name }) => name === headName) ? withHead(tensors) : tensors;
}

type Parts = Pick<Quantization, "scales" | "zeroPoints" | "offsets">;

function quantization({ name, shape }: RequiredTensor, quants: StoredTensor, parts: Parts): Quantization {
  const [rows, columns] = shape as [number, number];
  const fits = (tensor: StoredTensor | null, dtype: string, expected: readonly number[]) => !tensor || (tensor.dtype === dtype && tensor.shape.join() === expected.join());
  for (const blockSize of blockSizes) {
    const blocks = blocksOf(columns, blockSize);
    for (const bits of [4, 8] satisfies Bits[]) {
      if (fits(quants, "U8", [rows, blocks, quantBytes(columns, bits, blockSize) / blocks]) && fits(parts.scales, "F32", [rows, blocks])
        && fits(parts.offsets, "F32", [rows, blocks]) && fits(parts.zeroPoints, "U8", [rows, zeroPointBytes(columns, bits, blockSize)])) return { bits, blockSize, ...parts };
    }
  }
  throw new Error(`tensor ${name}: ${quants.file} (its quantised parts do not fit the shape [${shape.join(", ")}])`);
}
