/** Of a weight in blocks, what decides how it can be multiplied with others. */
export interface BlockKind {
  readonly bits: 4 | 8;
  readonly blockSize: number;
  /** Elements are `level * scale + offset`. */
  readonly offsets: boolean;
  /** Elements of a row. */
  readonly columns: number;
}

/** The MLP whose experts a weight belongs to; null: it is no expert's. */
export const expertsOf = (name: string): string | null => /^(model\.layers\.\d+\.mlp\.experts)\./.exec(name)?.[1] ?? null;

/** Whether blocks of a size fit rows of experts. Rows of one block ONNX Runtime 1.30 takes for another layout. */
export const fitsExperts = (columns: number, blockSize: number): boolean => columns % blockSize === 0 && columns > blockSize;

/** Whether ONNX Runtime's operator takes the blocks of an MLP's experts as they are: all of one kind, without offsets. Else they are widened to float32. */
export function multipliedInBlocks(kinds: readonly BlockKind[]): boolean {
  const first = kinds[0];
  return kinds.every(({ bits, blockSize, offsets, columns }) => bits === first!.bits && blockSize === first!.blockSize && !offsets && fitsExperts(columns, blockSize));
}
