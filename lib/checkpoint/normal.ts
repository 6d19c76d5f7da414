// Normal random numbers, fast enough for the weights of a 7B model: xoshiro128** (Blackman and Vigna, 2018), whose
// 32 bits pick two of 65,536 equally likely quantiles of the normal distribution from a table.
// The largest value is 4.3 standard deviations.
import { createHash } from "node:crypto";

const tableSize = 65536;

/** The quantiles at (i + 1/2) / 65536, times `std`. */
export function normalTable(std: number): Float32Array {
  return Float32Array.from({ length: tableSize }, (_, i) => std * normalQuantile((i + 0.5) / tableSize));
}

/**
 * A stream of table entries, chosen uniformly. It depends on seed and name alone, not on the sizes it is read in,
 * as long as all but the last are even.
 */
export class QuantileStream {
  private readonly state: Uint32Array;

  /** @param name tells streams of one seed apart, such as a tensor's name */
  constructor(seed: number, name: string) {
    const digest = createHash("sha256").update(`${seed}\n${name}`).digest();
    this.state = Uint32Array.from({ length: 4 }, (_, i) => digest.readUInt32LE(4 * i));
  }

  /** Fills `out` with entries of `table`, which has 65,536. */
  fill<T extends Float32Array | Uint16Array>(out: T, table: T): T {
    let [a, b, c, d] = this.state as unknown as [number, number, number, number];
    for (let i = 0; i < out.length; i += 2) {
      const product = Math.imul(b, 5);
      const bits = Math.imul((product << 7) | (product >>> 25), 9);
      const shifted = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= shifted;
      d = (d << 11) | (d >>> 21);
      out[i] = table[bits & 0xffff]!;
      // Past an odd end this writes nothing.
      out[i + 1] = table[bits >>> 16]!;
    }
    this.state.set([a, b, c, d]);
    return out;
  }
}

/**
 * Inverse of the normal distribution function, relative error below 1.2e-9: P. J. Acklam's rational approximation.
 * @param p in (0, 1)
 */
export function normalQuantile(p: number): number {
  if (p > 0.5) return -normalQuantile(1 - p);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    return polynomial(tailNumerator, q) / polynomial(tailDenominator, q);
  }
  const q = p - 0.5;
  return (q * polynomial(centreNumerator, q * q)) / polynomial(centreDenominator, q * q);
}

const centreNumerator = [-3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2, -3.066479806614716e1, 2.506628277459239];
const centreDenominator = [-5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1, 1];
const tailNumerator = [-7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783];
const tailDenominator = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1];

/** Coefficients from the highest power down. */
function polynomial(coefficients: readonly number[], x: number): number {
  return coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);
}
