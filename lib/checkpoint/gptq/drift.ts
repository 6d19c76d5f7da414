import type { InputFactor, MatrixProduct } from "./factor.js";

/**
 * The weights whose products with the inputs that there are come nearest to what the model's own weights gave of the inputs that it had: errors of matrices
 * that were rounded before are made up for as far as a matrix can (arXiv:2505.11695, arXiv:2504.02692).
 * @param values `[rows, inputs]` @param drift `[inputs, inputs]`: sums over tokens of each input there is times the difference of each that the model had from it
 */
export async function correctDrift(values: Float32Array, factor: InputFactor, drift: Float64Array, product: MatrixProduct): Promise<Float32Array> {
  const { inputs } = factor;
  const rows = values.length / inputs;
  const turned = new Float64Array(values.length);
  for (let row = 0; row < rows; row++) for (let i = 0; i < inputs; i++) turned[i * rows + row] = values[row * inputs + i]!;
  const missing = await product(drift, turned, inputs, inputs, rows);
  await factor.solve(missing, rows);
  return values.map((value, at) => value + missing[(at % inputs) * rows + Math.floor(at / inputs)]!);
}
