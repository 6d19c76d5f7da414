/** A prompt of n tokens cut into columns of equal width for a picture; the last one may be shorter. */
export interface Buckets {
  readonly n: number;
  readonly columns: number;
  /** Tokens in a column. */
  readonly width: number;
  /** First position of each column. */
  readonly starts: readonly number[];
}

/** As few tokens a column as fit `most` columns. @throws on a number of columns that is no positive integer */
export function buckets(n: number, most: number): Buckets {
  if (!Number.isSafeInteger(most) || most < 1) throw new Error(`columns: ${most} (must be a positive integer)`);
  const width = Math.max(1, Math.ceil(n / most));
  const columns = Math.ceil(n / width);
  return { n, columns, width, starts: Array.from({ length: columns }, (_, column) => column * width) };
}

/** Mean of `values` over the positions in each column; NaN where none falls into it. `[columns]` */
export function bucketMeans({ columns, width, n }: Buckets, positions: ArrayLike<number>, values: ArrayLike<number>): Float32Array {
  const sums = new Float64Array(columns);
  const counts = new Int32Array(columns);
  for (let i = 0; i < positions.length; i++) {
    if (positions[i]! >= n) continue;
    const column = Math.floor(positions[i]! / width);
    sums[column]! += values[i]!;
    counts[column]!++;
  }
  return Float32Array.from(sums, (sum, column) => sum / counts[column]!);
}
