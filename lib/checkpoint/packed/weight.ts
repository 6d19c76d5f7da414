import type { Bits, QuantizedRows } from "../quantize.js";
import type { StoredTensor } from "../types.js";

/** A weight that a file has in several tensors of a quantisation method, to be read into blocks. */
export interface PackedWeight {
  /** What it stands for: `model.layers.0.self_attn.q_proj.weight`. */
  readonly name: string;
  /** `[out, in]` */
  readonly shape: readonly [number, number];
  readonly bits: Bits;
  readonly blockSize: number;
  /** See `Quantization`. */
  readonly fileBits?: number;
  /** The tensors it is made of. */
  readonly parts: readonly StoredTensor[];
  /** Levels have a zero point of their own; false: the middle one. */
  readonly zeroPoints: boolean;
  /** Inputs are taken in another order: see `PackedRows`. */
  readonly ordered: boolean;
  read(): Promise<PackedRows>;
}

export interface PackedRows extends QuantizedRows {
  /** `[in]`: column i of the blocks is for this input; null: as they come. */
  readonly order: Int32Array | null;
}

/** The error for a tensor that is not as its method makes it. */
export function wrongTensor({ name, file, shape, dtype }: StoredTensor, right: string): Error {
  return new Error(`tensor ${name}: ${dtype} [${shape.join(", ")}] in ${file} (${right})`);
}

/** A part of a module by its last name. @throws where it is missing, or has another dtype or shape */
export function part(stored: ReadonlyMap<string, StoredTensor>, base: string, kind: string, dtypes: readonly string[], shape: readonly number[], why: string): StoredTensor {
  const tensor = stored.get(`${base}.${kind}`);
  if (!tensor) throw new Error(`tensor ${base}.${kind}: missing (must be there with shape [${shape.join(", ")}]: ${why})`);
  if (!dtypes.includes(tensor.dtype) || tensor.shape.join() !== shape.join()) throw wrongTensor(tensor, `must be ${dtypes.join(" or ")} [${shape.join(", ")}]: ${why}`);
  return tensor;
}

export const floatDtypes = ["F16", "BF16", "F32"] as const;
