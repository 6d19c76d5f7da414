import { bytesOf } from "../../checkpoint/dtype.js";
import { scalesName, zeroPointsName } from "../../checkpoint/encode.js";
import { blocksOf, BLOCK, quantBytes, zeroPointBytes, type QuantizedRows } from "../../checkpoint/quantize.js";
import { readFloats, readSafetensorsHeader, readStored, type TensorToWrite } from "../../checkpoint/safetensors.js";
import type { GraphBuilder, QuantizedMatrix } from "../../onnx/builder.js";

/** A matrix `[rows, columns]` in blocks of 4 bits. */
export interface RoundedMatrix extends QuantizedRows {
  readonly rows: number;
  readonly columns: number;
}

/** The matrix as constants of a graph. */
export function inlineMatrix(g: GraphBuilder, name: string, { rows, columns, quants, scales, zeroPoints }: RoundedMatrix): QuantizedMatrix {
  const blocks = blocksOf(columns);
  return {
    bits: 4, blockSize: BLOCK, shape: [rows, columns],
    quants: g.inline(name, "uint8", [rows, blocks, BLOCK / 2], quants),
    scales: g.inline(scalesName(name), "float32", [rows, blocks], bytesOf(scales)),
    zeroPoints: zeroPoints && g.inline(zeroPointsName(name), "uint8", [rows, zeroPointBytes(columns, 4)], zeroPoints),
  };
}

/** As `encodeTensors` has it in a file. */
export function tensorsOf(name: string, { rows, columns, quants, scales, zeroPoints }: RoundedMatrix): TensorToWrite[] {
  const blocks = blocksOf(columns);
  return [
    { name, dtype: "U8", shape: [rows, blocks, quantBytes(columns, 4) / blocks], data: quants },
    { name: scalesName(name), dtype: "F32", shape: [rows, blocks], data: scales },
    ...(zeroPoints ? [{ name: zeroPointsName(name), dtype: "U8" as const, shape: [rows, zeroPointBytes(columns, 4)], data: zeroPoints }] : []),
  ];
}

/** What such a file has of these matrices. @throws where one is missing */
export async function readRounded(file: string, shapes: ReadonlyMap<string, readonly number[]>): Promise<Map<string, RoundedMatrix>> {
  const { tensors } = await readSafetensorsHeader(file);
  const rounded = new Map<string, RoundedMatrix>();
  for (const [name, [rows, columns]] of shapes) {
    const part = (each: string) => {
      const stored = tensors.get(each);
      if (!stored) throw new Error(`${file}: tensor ${each} is missing (remove the file)`);
      return stored;
    };
    const zeroPoints = tensors.has(zeroPointsName(name)) ? await readStored(part(zeroPointsName(name))) : null;
    rounded.set(name, { rows: rows!, columns: columns!, quants: await readStored(part(name)), scales: await readFloats(part(scalesName(name))), zeroPoints });
  }
  return rounded;
}
