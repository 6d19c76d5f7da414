// Unsigned integers of a few bits each in 32-bit words, the first in the lowest bits, one after the other across the words' borders.

/** Integers that `words` words hold. */
export const integersIn = (words: number, bits: number): number => Math.floor((words * 32) / bits);

/** The words of one packed line: `count` of them from `start`, `step` apart. */
export interface Line {
  readonly words: Int32Array;
  readonly start: number;
  readonly step: number;
}

/** Integer `index` of a packed line. */
export function integerAt({ words, start, step }: Line, index: number, bits: number): number {
  const bit = index * bits;
  const [word, shift] = [bit >>> 5, bit & 31];
  const low = words[start + word * step]! >>> shift;
  // What does not fit goes on in the next word.
  const high = shift + bits > 32 ? words[start + (word + 1) * step]! << (32 - shift) : 0;
  return (low | high) & (2 ** bits - 1);
}

/** Rows and columns of a transposition that are in the processor's caches at once. */
const TILE = 64;

/** `[rows, columns]` -> `[columns, rows]`. */
export function transposed(words: Int32Array, rows: number, columns: number): Int32Array {
  const out = new Int32Array(words.length);
  for (let top = 0; top < rows; top += TILE) {
    const bottom = Math.min(rows, top + TILE);
    for (let left = 0; left < columns; left += TILE) {
      const right = Math.min(columns, left + TILE);
      for (let column = left; column < right; column++) for (let row = top; row < bottom; row++) out[column * rows + row] = words[row * columns + column]!;
    }
  }
  return out;
}
