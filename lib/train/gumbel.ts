import type { Random } from "../random.js";

/** `n` differences of two independent Gumbel(0, 1) numbers, which follow the logistic distribution. */
export function gumbelDifferences(random: Random, n: number): Float32Array {
  return Float32Array.from({ length: n }, () => {
    // Never 0 or 1, whose logarithms are infinite.
    const u = (random.next() * 2 ** 24 + 0.5) / (2 ** 24 + 1);
    return Math.log(u / (1 - u));
  });
}
