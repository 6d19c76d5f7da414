import { MOST_INPUTS, quantizeChannels, type ChannelWeights } from "./by-channel.js";
import { elementCount } from "./dtype.js";
import { BLOCK, blocksOf, quantBytes, quantizeRows, zeroPointBytes, type Bits, type QuantizedRows } from "./quantize.js";
import { requiredTensors, type RequiredTensor } from "./required.js";
import type { TensorToWrite } from "./safetensors.js";
import type { ModelConfig } from "./types.js";
import { bitsOf, type WeightDtype, type WeightFormat } from "./weight-dtype.js";

/** Names of what belongs to a quantised tensor. */
export const scalesName = (name: string): string => `${name}.scales`;
export const zeroPointsName = (name: string): string => `${name}.zero_points`;
export const orderName = (name: string): string => `${name}.order`;
export const offsetsName = (name: string): string => `${name}.offsets`;

export const byChannelName = (name: string): string => `${name}.by_channel`;
export const byChannelScalesName = (name: string): string => `${name}.by_channel.scales`;

export const embeddingName = "model.embed_tokens.weight";
export const headName = "lm_head.weight";

/** A tensor's values in order, in pieces of `elements` each but the last. A piece is used before the next one is asked for. */
export type ValuesOf = (tensor: RequiredTensor, elements: number) => Iterable<Float32Array> | AsyncIterable<Float32Array>;

/** What a model needs; the head too where embedding and head are one tensor that is to be held in two ways. */
export function tensorsToHold(config: ModelConfig, { embedding, head }: WeightFormat): RequiredTensor[] {
  const tensors = requiredTensors(config);
  return !config.tiedEmbeddings || embedding === head ? tensors : withHead(tensors);
}

/** The same and a head of its own, in the embedding's shape. */
export function withHead(tensors: readonly RequiredTensor[]): RequiredTensor[] {
  return [...tensors, { name: headName, shape: tensors.find(({ name }) => name === embeddingName)!.shape }];
}

/** The tensor whose values become `name`: where embedding and head are one tensor, that one. */
export const sourceName = (name: string, tied: boolean): string => (tied && name === headName ? embeddingName : name);

/** Elements worked on at a time. */
const CHUNK = 2 ** 21;

/**
 * What is to be written so that `tensors` are held in `format`, read piece by piece as each one's turn comes. Norms and biases
 * stay float32 where the rest is quantised. Quantised tensors are U8 `[out, blocks, 32 * bits / 8]` with `NAME.scales` F32
 * `[out, blocks]` and, unless symmetric, `NAME.zero_points` U8 after them; projections in int8 have a form for prompts as well, `NAME.by_channel` I8
 * `[in, out]` with `NAME.by_channel.scales` F32 `[out]`.
 */
export function encodeTensors(tensors: readonly RequiredTensor[], format: WeightFormat, valuesOf: ValuesOf): TensorToWrite[] {
  return tensors.flatMap((tensor) => {
    const dtype = dtypeOf(tensor, format);
    const bits = bitsOf(dtype);
    return bits === null ? [floats(tensor, dtype === "fp16" ? "F16" : "F32", valuesOf)] : inBlocks(tensor, rounded(bits, format.symmetric), valuesOf, hasChannelForm(tensor, format));
  });
}

/** Counted up when the same weights would be held otherwise in a format, so that old cache entries are not used: int4's also when its texts or its way of rounding change. */
export const formatVersion = ({ dtype, rounding }: WeightFormat): number => (dtype === "int8" || rounding === "gptq" ? 2 : 1);

/** What a tensor is held in. */
export function dtypeOf(tensor: RequiredTensor, { dtype, embedding, head }: WeightFormat): WeightDtype {
  if (tensor.name === embeddingName) return embedding;
  if (tensor.name === headName) return head;
  return isProjection(tensor) || bitsOf(dtype) === null ? dtype : "fp32";
}

const isProjection = ({ name, shape }: RequiredTensor): boolean => shape.length === 2 && /_proj\.weight$/.test(name);

/** Whether a tensor in int8 has a second form, for prompts. In int4 it would be larger than the first; experts are multiplied by an operator of their own. */
const hasChannelForm = (tensor: RequiredTensor, { dtype }: WeightFormat): boolean =>
  dtype === "int8" && isProjection(tensor) && !/\.mlp\.experts\./.test(tensor.name) && tensor.shape[1]! <= MOST_INPUTS;

function floats(tensor: RequiredTensor, dtype: "F16" | "F32", valuesOf: ValuesOf): TensorToWrite {
  const { name, shape } = tensor;
  async function* data() {
    for await (const values of valuesOf(tensor, CHUNK)) {
      if (dtype === "F16") requireHalf(values, name);
      yield values;
    }
  }
  return { name, dtype, shape, data };
}

/** @throws where rounding to float16 would make infinity of a number */
function requireHalf(values: Float32Array, name: string): void {
  const beyond = values.find((value) => Math.abs(value) >= 65520 && Number.isFinite(value));
  if (beyond !== undefined) throw new Error(`tensor ${name}: ${beyond} (fp16 goes to 65504; take fp32)`);
}

/** Blocks of elements, and how values come into them. */
export interface BlockForm {
  readonly bits: Bits;
  readonly blockSize: number;
  readonly zeroPoints: boolean;
  /** @param values whole rows of `columns` @throws on a value that is not finite */
  readonly encode: (values: Float32Array, columns: number) => QuantizedRows;
}

const rounded = (bits: Bits, symmetric: boolean): BlockForm => ({ bits, blockSize: BLOCK, zeroPoints: !symmetric, encode: (values, columns) => quantizeRows(values, columns, bits, symmetric) });

/**
 * A matrix in blocks: U8 `[out, blocks, bytes]`, then `NAME.scales` and, if there are any, `NAME.zero_points`.
 * @param channelForm after them the form by channels (see `encodeTensors`)
 */
export function inBlocks(tensor: RequiredTensor, { bits, blockSize, zeroPoints: points, encode }: BlockForm, valuesOf: ValuesOf, channelForm = false): TensorToWrite[] {
  const { name } = tensor;
  const [rows, columns] = tensor.shape as [number, number];
  const blocks = blocksOf(columns, blockSize);
  const pointBytes = zeroPointBytes(columns, bits, blockSize);
  // Known when the elements are written, which is before these are asked for.
  let scales: Float32Array;
  let zeroPoints: Uint8Array;
  let channels: ChannelWeights | null = null;
  async function* quants() {
    if (channelForm) channels = { weights: new Int8Array(columns * rows), scales: new Float32Array(rows) };
    scales = new Float32Array(rows * blocks);
    zeroPoints = new Uint8Array(points ? rows * pointBytes : 0);
    let row = 0;
    // A multiple of 8 rows: readers want pieces of whole 8 bytes, whatever the dtype.
    const rowsAtATime = Math.max(8, Math.floor(CHUNK / columns / 8) * 8);
    for await (const values of valuesOf(tensor, rowsAtATime * columns)) {
      let piece;
      try {
        piece = encode(values, columns);
      } catch (error) {
        throw new Error(`tensor ${name}, from row ${row}: ${(error as Error).message}`);
      }
      scales.set(piece.scales, row * blocks);
      if (piece.zeroPoints) zeroPoints.set(piece.zeroPoints, row * pointBytes);
      if (channels) quantizeChannels(channels, values, columns, row);
      row += values.length / columns;
      yield piece.quants;
    }
  }
  function* channelWeights() {
    yield channels!.weights;
    // As large as the tensor itself: not held until all others are written.
    channels = null;
  }
  return [
    { name, dtype: "U8", shape: [rows, blocks, quantBytes(columns, bits, blockSize) / blocks], data: quants },
    { name: scalesName(name), dtype: "F32", shape: [rows, blocks], data: () => scales },
    ...(points ? [{ name: zeroPointsName(name), dtype: "U8" as const, shape: [rows, pointBytes], data: () => zeroPoints }] : []),
    ...(channelForm ? [
      { name: byChannelScalesName(name), dtype: "F32" as const, shape: [rows], data: () => channels!.scales },
      { name: byChannelName(name), dtype: "I8" as const, shape: [columns, rows], data: channelWeights },
    ] : []),
  ];
}

/** Values in all tensors together. */
export function encodedElements(tensors: readonly RequiredTensor[]): number {
  return tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0);
}
