/**
 * Two-sided p value of the Mann-Whitney U test (Mann and Whitney 1947): could both samples come from one distribution?
 * Exact where no two values are equal and the samples are small, else by the normal approximation with the correction
 * for ties and for continuity.
 */
export function mannWhitney(a: readonly number[], b: readonly number[]): number {
  if (a.length === 0 || b.length === 0) throw new Error("samples: none (at least one is needed of each)");
  const u = a.reduce((sum, x) => sum + b.reduce((count, y) => count + (x > y ? 1 : x === y ? 0.5 : 0), 0), 0);
  const all = [...a, ...b];
  const tied = new Set(all).size < all.length;
  const [n, m] = [a.length, b.length];
  return tied || n * m > 400 ? approximate(u, all, n, m) : exact(Math.min(u, n * m - u), n, m);
}

/** Twice the share of all orderings whose U is at most `u`. */
function exact(u: number, n: number, m: number): number {
  // counts[j][v]: orderings of i values of one sample and j of the other with U = v.
  let counts: number[][] = Array.from({ length: m + 1 }, () => [1]);
  for (let i = 1; i <= n; i++) {
    const next: number[][] = [[1]];
    for (let j = 1; j <= m; j++) {
      const row = new Array<number>(i * j + 1).fill(0);
      // The largest value is of the first sample and beats j of the other, or is of the other and beats none.
      counts[j]!.forEach((count, v) => (row[v + j]! += count));
      next[j - 1]!.forEach((count, v) => (row[v]! += count));
      next.push(row);
    }
    counts = next;
  }
  const distribution = counts[m]!;
  const total = distribution.reduce((sum, count) => sum + count, 0);
  return Math.min(1, (2 * distribution.slice(0, u + 1).reduce((sum, count) => sum + count, 0)) / total);
}

function approximate(u: number, all: readonly number[], n: number, m: number): number {
  const ties = new Map<number, number>();
  for (const x of all) ties.set(x, (ties.get(x) ?? 0) + 1);
  const N = n + m;
  const correction = [...ties.values()].reduce((sum, t) => sum + t ** 3 - t, 0) / (N * (N - 1));
  const deviation = Math.sqrt(((n * m) / 12) * (N + 1 - correction));
  if (deviation === 0) return 1;
  const z = Math.max(0, Math.abs(u - (n * m) / 2) - 0.5) / deviation;
  return Math.min(1, erfc(z / Math.SQRT2));
}

/** Complementary error function, to 1.2e-7 (Numerical Recipes, erfcc), for x >= 0. */
function erfc(x: number): number {
  const t = 1 / (1 + 0.5 * x);
  const coefficients = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277];
  return t * Math.exp(-x * x + coefficients.reduceRight((sum, c) => c + t * sum, 0));
}
