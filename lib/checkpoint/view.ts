import { elementBytes, elementCount, type TensorData } from "./dtype.js";
import type { Quantization, StoredTensor, TensorView } from "./types.js";

/**
 * A part or a turned form of a stored tensor. A part that lies in one piece is only a shorter range of the file.
 * @param shape of the result
 * @throws on blocks of quantised elements of which more is asked than some of their rows
 */
export function viewed(stored: StoredTensor, view: TensorView, shape: readonly number[]): StoredTensor {
  const { slice, perm } = view;
  const straight = !perm || perm.every((axis, i) => axis === i);
  if (stored.quantization) {
    if (!straight || (slice && slice.axis !== 0) || view.stored.join() !== stored.shape.join()) throw new Error(`tensor ${stored.name}: its ${stored.quantization.bits}-bit blocks in ${stored.file} cannot be cut and turned as this family needs it (take a checkpoint that is not quantised)`);
    return rowsOf(stored, stored.quantization, slice ?? { from: 0, to: stored.shape[0]! });
  }
  // Scales go by the place in the whole.
  if (!straight || stored.scaling || (slice && slice.axis !== 0)) return { ...stored, shape, view };
  const unit = elementCount(view.stored.slice(1)) * elementBytes[stored.dtype];
  const { from, to } = slice ?? { from: 0, to: view.stored[0]! };
  return { ...stored, shape, offset: stored.offset + from * unit, length: (to - from) * unit };
}

/** Some rows of a matrix in blocks: of each of its parts, which have as many. */
function rowsOf(stored: StoredTensor, quantization: Quantization, { from, to }: { readonly from: number; readonly to: number }): StoredTensor {
  const rows = stored.shape[0]!;
  const cut = (part: StoredTensor): StoredTensor => {
    const unit = part.length / rows;
    return { ...part, shape: [to - from, ...part.shape.slice(1)], offset: part.offset + from * unit, length: (to - from) * unit };
  };
  const { scales, zeroPoints, offsets } = quantization;
  return { ...cut(stored), quantization: { ...quantization, byChannel: null, scales: cut(scales), zeroPoints: zeroPoints && cut(zeroPoints), offsets: offsets && cut(offsets) } };
}

/** What a view takes of the values that are stored. */
export function applyView<T extends TensorData>(values: T, { stored, slice, perm = stored.map((_, axis) => axis) }: TensorView): T {
  const sizes = stored.map((size, axis) => (slice?.axis === axis ? slice.to - slice.from : size));
  const strides = stored.map((_, axis) => elementCount(stored.slice(axis + 1)));
  const start = slice ? slice.from * strides[slice.axis]! : 0;
  const out = new (values.constructor as new (length: number) => T)(elementCount(sizes));
  const outer = perm.slice(0, -1);
  const [innerSize, innerStride] = [sizes[perm.at(-1)!]!, strides[perm.at(-1)!]!];
  const index = outer.map(() => 0);
  for (let target = 0; target < out.length; target += innerSize) {
    let source = start;
    for (let i = 0; i < outer.length; i++) source += index[i]! * strides[outer[i]!]!;
    for (let i = 0; i < innerSize; i++) out[target + i] = values[source + i * innerStride]!;
    for (let axis = outer.length - 1; axis >= 0 && ++index[axis]! === sizes[outer[axis]!]!; axis--) index[axis] = 0;
  }
  return out;
}
