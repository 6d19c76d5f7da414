/**
 * Spearman's rank correlation, equal values sharing their mean rank. 0 where either side is constant.
 * @throws on arrays of different or no length
 */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number {
  requireSameLength(a, b);
  const [x, y] = [ranks(a), ranks(b)];
  const mean = (x.length - 1) / 2;
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [x[i]! - mean, y[i]! - mean];
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  }
  return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : 0;
}

/** Share of the `k` largest of `truth` that are among the `k` largest of `scores`; the earlier of equal ones counts as larger. */
export function topOverlap(scores: ArrayLike<number>, truth: ArrayLike<number>, k: number): number {
  requireSameLength(scores, truth);
  if (!Number.isSafeInteger(k) || k < 1 || k > scores.length) throw new Error(`top k: ${k} (must be 1 … ${scores.length})`);
  const top = (values: ArrayLike<number>) => order(values).reverse().slice(0, k);
  const wanted = new Set(top(truth));
  return top(scores).filter((i) => wanted.has(i)).length / k;
}

/** Indices from the smallest to the largest, of equal ones the later first. */
function order(values: ArrayLike<number>): number[] {
  return Array.from(values, (_, i) => i).sort((i, j) => values[i]! - values[j]! || j - i);
}

function ranks(values: ArrayLike<number>): Float64Array {
  const sorted = order(values);
  const result = new Float64Array(values.length);
  for (let start = 0; start < sorted.length; ) {
    let end = start + 1;
    while (end < sorted.length && values[sorted[end]!] === values[sorted[start]!]) end++;
    for (let i = start; i < end; i++) result[sorted[i]!] = (start + end - 1) / 2;
    start = end;
  }
  return result;
}

function requireSameLength(a: ArrayLike<number>, b: ArrayLike<number>): void {
  if (a.length !== b.length || a.length === 0) throw new Error(`agreement: ${a.length} and ${b.length} values (must be as many, and some)`);
}
