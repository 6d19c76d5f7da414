import type { Random } from "../random.js";

/** Pairs that one sequence gives the ranking loss at most: all of those of 256 tokens. */
export const MAX_PAIRS = (256 * 255) / 2;

/** Pairs of different tokens among the first `n`: every pair once where these are few enough, else a random sample. */
export function rankingPairs(random: Random, n: number): { first: BigInt64Array; second: BigInt64Array } {
  if (!Number.isSafeInteger(n) || n < 2) throw new Error(`ranking loss: ${n} prompt tokens (at least 2 are needed)`);
  const all = (n * (n - 1)) / 2;
  const count = Math.min(all, MAX_PAIRS);
  const [first, second] = [new BigInt64Array(count), new BigInt64Array(count)];
  if (all <= MAX_PAIRS) {
    let pair = 0;
    for (let i = 1; i < n; i++) for (let j = 0; j < i; j++, pair++) [first[pair], second[pair]] = [BigInt(i), BigInt(j)];
  } else {
    for (let pair = 0; pair < count; pair++) {
      const i = random.int(n);
      const j = (i + 1 + random.int(n - 1)) % n;
      [first[pair], second[pair]] = [BigInt(i), BigInt(j)];
    }
  }
  return { first, second };
}
