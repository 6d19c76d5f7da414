// Weights rounded to 8 bits with one scale for each output, as processors multiply them with 8-bit activations fastest: nothing within a product
// needs a scale of its own, so that sums stay integers. A prompt's products are made so; single tokens take blocks, which are nearer.

/** Largest magnitude of an element: both signs have it. */
const LARGEST = 127;

/** Inputs at most: sums of products of 8-bit numbers then stay within 32 bits. */
export const MOST_INPUTS = 65536;

/** A matrix by output channels: an element is `weights[in][out] * scales[out]`. */
export interface ChannelWeights {
  /** `[in, out]`: the other way round than checkpoints have it, as integer products take it. */
  readonly weights: Int8Array;
  /** `[out]` */
  readonly scales: Float32Array;
}

/**
 * Rounds rows of a matrix `[out, in]` into their columns of `target`.
 * @param values whole rows of `columns` finite values @param first number of the first of them
 */
export function quantizeChannels({ weights, scales }: ChannelWeights, values: Float32Array, columns: number, first: number): void {
  const out = scales.length;
  for (let start = 0, row = first; start < values.length; start += columns, row++) {
    let largest = 0;
    for (let i = start; i < start + columns; i++) largest = Math.max(largest, Math.abs(values[i]!));
    // In single precision, as it is stored: rounding must see the scale that will be used.
    const scale = Math.fround(largest / LARGEST);
    scales[row] = scale;
    const inverse = scale === 0 ? 0 : 1 / scale;
    for (let column = 0; column < columns; column++) {
      const level = Math.round(values[start + column]! * inverse);
      weights[column * out + row] = level > LARGEST ? LARGEST : level < -LARGEST ? -LARGEST : level;
    }
  }
}
