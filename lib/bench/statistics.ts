/** Order statistics and spread of a sample; the unit is that of the sample. */
export interface Summary {
  readonly p50: number;
  readonly p90: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Sample standard deviation (n - 1); 0 for a single value. */
  readonly stdev: number;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  /** Coverage, 0.95 by default. */
  readonly level?: number;
  /** Number of resamples, 2000 by default. */
  readonly resamples?: number;
  /** Seed of the resampling, so that a report comes out the same twice. */
  readonly seed?: number;
}

/** @throws when there are no samples, or one is not finite */
export function summarize(samples: readonly number[]): Summary {
  const sorted = ascending(samples);
  const mean = average(sorted);
  return {
    p50: quantile(sorted, 0.5),
    p90: quantile(sorted, 0.9),
    min: sorted[0]!,
    max: sorted.at(-1)!,
    mean,
    stdev: sorted.length === 1 ? 0 : Math.sqrt(sorted.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (sorted.length - 1)),
  };
}

/** @throws when there are no samples, or one is not finite */
export function median(samples: readonly number[]): number {
  return quantile(ascending(samples), 0.5);
}

/**
 * The value below which the share `p` (0 to 1) of the samples lies, interpolated linearly between the two nearest
 * (type 7 of Hyndman and Fan 1996, as in NumPy and R).
 */
export function percentile(samples: readonly number[], p: number): number {
  if (!(p >= 0 && p <= 1)) throw new Error(`percentile: ${p} (must be from 0 to 1)`);
  return quantile(ascending(samples), p);
}

/** Arithmetic mean. */
export function mean(samples: readonly number[]): number {
  return average(ascending(samples));
}

/**
 * Interval of a statistic by the percentile bootstrap (Efron 1979): the middle `level` of its values over samples
 * drawn with replacement. A single sample gives an interval of no width, which says nothing.
 */
export function bootstrap(samples: readonly number[], statistic: (samples: readonly number[]) => number, options: BootstrapOptions = {}): Interval {
  const sorted = ascending(samples);
  return middle(options, (draw) => statistic(resampled(sorted, draw)));
}

/** Interval of median(`numerator`) / median(`denominator`), both resampled: the spread of a speedup. */
export function bootstrapRatio(numerator: readonly number[], denominator: readonly number[], options: BootstrapOptions = {}): Interval {
  const [above, below] = [ascending(numerator), ascending(denominator)];
  return middle(options, (draw) => median(resampled(above, draw)) / median(resampled(below, draw)));
}

function middle({ level = 0.95, resamples = 2000, seed = 1 }: BootstrapOptions, statistic: (draw: () => number) => number): Interval {
  if (!(level > 0 && level < 1)) throw new Error(`interval level: ${level} (must be between 0 and 1)`);
  if (!Number.isSafeInteger(resamples) || resamples < 1) throw new Error(`resamples: ${resamples} (must be a positive integer)`);
  const draw = xorshift(seed);
  const values = Array.from({ length: resamples }, () => statistic(draw)).sort((a, b) => a - b);
  return { low: quantile(values, (1 - level) / 2), high: quantile(values, (1 + level) / 2) };
}

function resampled(samples: readonly number[], draw: () => number): number[] {
  return samples.map(() => samples[Math.floor(draw() * samples.length)]!);
}

/** Uniform numbers in [0, 1) from Marsaglia's xorshift32 (2003); the multiplication spreads small seeds. */
function xorshift(seed: number): () => number {
  let state = Math.imul(seed | 0, 0x9e3779b1) || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

function ascending(samples: readonly number[]): number[] {
  if (samples.length === 0) throw new Error("samples: none (at least one is needed)");
  const wrong = samples.find((sample) => !Number.isFinite(sample));
  if (wrong !== undefined) throw new Error(`sample: ${wrong} (must be a finite number)`);
  return [...samples].sort((a, b) => a - b);
}

function quantile(sorted: readonly number[], p: number): number {
  const at = p * (sorted.length - 1);
  const below = sorted[Math.floor(at)]!;
  return below + (at - Math.floor(at)) * (sorted[Math.ceil(at)]! - below);
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
