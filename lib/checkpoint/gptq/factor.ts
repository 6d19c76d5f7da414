// What an error in one input of a product costs, and how far later inputs can make up for it: the Cholesky factor of the inputs' second moments.
import { blocksOf } from "../quantize.js";

/** `a` `[m, k]` times `b` `[k, n]` -> `[m, n]`, in their own precision: JavaScript itself is too slow for large ones. */
export type MatrixProduct = <T extends Float32Array | Float64Array>(a: T, b: T, m: number, k: number, n: number) => Promise<T>;

/** The second moments of a product's inputs, ready for rounding its weights. */
export interface InputFactor {
  readonly inputs: number;
  /** Inputs in the order in which their weights are rounded: block by block, those that count most first. `[inputs]` */
  readonly order: Int32Array;
  /** Where the blocks begin in that order, and its end. */
  readonly starts: Int32Array;
  /** `[inputs, inputs]` in that order: row p says by how much the weight of p is to move for the error of each one before it. Zero from p on. */
  readonly shares: Float32Array;
  /** What a square error of p costs, once those after it have done what they can. `[inputs]` */
  readonly costs: Float32Array;
  /** `x` `[inputs, columns]`, inputs as they come -> what the damped second moments times it are `x`, in place. */
  readonly solve: (x: Float64Array, columns: number) => Promise<void>;
}

/** Columns of the factor that are computed together. */
const PANEL = 64;

/**
 * Factors second moments so that weights can be rounded one input after another, each making up for the errors before it (GPTQ,
 * arXiv:2210.17323, in the form of successive nearest planes, arXiv:2507.18553).
 * @param moments `[inputs, inputs]`: sums over tokens of products of two inputs
 * @param damping share of each input's own moment that is added to it: how far the tokens at hand are trusted
 * @param blockSize inputs that share a scale: they stay together
 */
export async function factorise(moments: Float64Array, inputs: number, blockSize: number, damping: number, product: MatrixProduct): Promise<InputFactor> {
  const { order, starts } = orderOf(moments, inputs, blockSize);
  // Correlations: then nothing hangs on the inputs' sizes. An input that was never there is a unit by itself.
  const sizes = Float64Array.from({ length: inputs }, (_, i) => Math.sqrt(moments[i * inputs + i]!) || 1);
  // Backwards, as the factor of what comes last is computed first.
  const places = Int32Array.from(order).reverse();
  const panels = await cholesky((row, column) => {
    const [i, j] = [places[row]!, places[column]!];
    return i === j ? 1 + damping : moments[i * inputs + j]! / (sizes[i]! * sizes[j]!);
  }, inputs, product);
  const shares = new Float32Array(inputs * inputs);
  const costs = new Float32Array(inputs);
  for (let p = 0; p < inputs; p++) {
    const column = inputs - 1 - p;
    const panel = Math.floor(column / PANEL);
    const [start, width] = [panel * PANEL, Math.min(PANEL, inputs - panel * PANEL)];
    const at = (row: number) => panels[panel]![(row - start) * width + column - start]!;
    const own = at(column);
    const size = sizes[order[p]!]!;
    costs[p] = (own * size) ** 2;
    for (let j = 0; j < p; j++) shares[p * inputs + j] = ((at(inputs - 1 - j) / own) * sizes[order[j]!]!) / size;
  }
  const solve = async (x: Float64Array, columns: number) => {
    const turned = new Float64Array(x.length);
    places.forEach((input, row) => {
      for (let i = 0; i < columns; i++) turned[row * columns + i] = x[input * columns + i]! / sizes[input]!;
    });
    await substitute(panels, turned, inputs, columns, product);
    places.forEach((input, row) => {
      for (let i = 0; i < columns; i++) x[input * columns + i] = turned[row * columns + i]! / sizes[input]!;
    });
  };
  return { inputs, order, starts, shares, costs, solve };
}

/** Where nothing is known of the inputs: all count the same, and none makes up for another. */
export function unknownInputs(inputs: number, blockSize: number): InputFactor {
  const starts = Int32Array.from({ length: blocksOf(inputs, blockSize) + 1 }, (_, block) => Math.min(inputs, block * blockSize));
  return { inputs, order: Int32Array.from({ length: inputs }, (_, i) => i), starts, shares: new Float32Array(0), costs: new Float32Array(inputs).fill(1), solve: () => Promise.resolve() };
}

/** Those that count most first, while there are most others left to make up for their errors; blocks stay whole. */
function orderOf(moments: Float64Array, inputs: number, blockSize: number): Pick<InputFactor, "order" | "starts"> {
  const own = (i: number) => moments[i * inputs + i]!;
  const blocks = Array.from({ length: blocksOf(inputs, blockSize) }, (_, block) => {
    const columns = Array.from({ length: Math.min(blockSize, inputs - block * blockSize) }, (_, i) => block * blockSize + i);
    columns.sort((a, b) => own(b) - own(a) || a - b);
    return { columns, size: columns.reduce((sum, i) => sum + own(i), 0), block };
  });
  blocks.sort((a, b) => b.size - a.size || a.block - b.block);
  const starts = new Int32Array(blocks.length + 1);
  blocks.forEach(({ columns }, i) => (starts[i + 1] = starts[i]! + columns.length));
  return { order: Int32Array.from(blocks.flatMap(({ columns }) => columns)), starts };
}

/** The lower Cholesky factor in panels of columns, each `[n - its first column, its width]`. */
async function cholesky(element: (row: number, column: number) => number, n: number, product: MatrixProduct): Promise<Float64Array[]> {
  const panels: Float64Array[] = [];
  for (let start = 0; start < n; start += PANEL) {
    const [width, rows] = [Math.min(PANEL, n - start), n - start];
    const panel = new Float64Array(rows * width);
    for (let row = 0; row < rows; row++) for (let column = 0; column < Math.min(width, row + 1); column++) panel[row * width + column] = element(start + row, start + column);
    for (const [index, before] of panels.entries()) {
      const offset = (start - index * PANEL) * PANEL;
      const left = before.subarray(offset);
      const known = await product(left, transposed(left, width, PANEL), rows, PANEL, width);
      for (let i = 0; i < panel.length; i++) panel[i]! -= known[i]!;
    }
    for (let column = 0; column < width; column++) {
      for (let row = column; row < rows; row++) {
        let value = panel[row * width + column]!;
        const [a, b] = [row * width, column * width];
        for (let k = 0; k < column; k++) value -= panel[a + k]! * panel[b + k]!;
        // The damping keeps what is left of an element above zero.
        panel[a + column] = row === column ? Math.sqrt(value) : value / panel[b + column]!;
      }
    }
    panels.push(panel);
  }
  return panels;
}

/** Solves `L Lᵀ y = x` in place, `x` `[n, columns]`, with the factor in panels. */
async function substitute(panels: readonly Float64Array[], x: Float64Array, n: number, columns: number, product: MatrixProduct): Promise<void> {
  const shape = (index: number) => ({ start: index * PANEL, width: Math.min(PANEL, n - index * PANEL), rows: n - index * PANEL });
  const rowOf = (row: number) => x.subarray(row * columns, (row + 1) * columns);
  const subtract = (row: number, factor: number, other: number) => {
    const [to, from] = [row * columns, other * columns];
    for (let i = 0; i < columns; i++) x[to + i]! -= factor * x[from + i]!;
  };
  for (const [index, panel] of panels.entries()) {
    const { start, width, rows } = shape(index);
    for (let row = 0; row < width; row++) {
      for (let k = 0; k < row; k++) subtract(start + row, panel[row * width + k]!, start + k);
      const own = panel[row * width + row]!;
      rowOf(start + row).forEach((value, i, all) => (all[i] = value / own));
    }
    if (rows === width) continue;
    const moved = await product(panel.subarray(width * width), x.subarray(start * columns, (start + width) * columns), rows - width, width, columns);
    for (let i = 0, at = (start + width) * columns; i < moved.length; i++) x[at + i]! -= moved[i]!;
  }
  for (let index = panels.length - 1; index >= 0; index--) {
    const [panel, { start, width, rows }] = [panels[index]!, shape(index)];
    if (rows > width) {
      const moved = await product(transposed(panel.subarray(width * width), rows - width, width), x.subarray((start + width) * columns), width, rows - width, columns);
      for (let i = 0, at = start * columns; i < moved.length; i++) x[at + i]! -= moved[i]!;
    }
    for (let row = width - 1; row >= 0; row--) {
      for (let k = row + 1; k < width; k++) subtract(start + row, panel[k * width + row]!, start + k);
      const own = panel[row * width + row]!;
      rowOf(start + row).forEach((value, i, all) => (all[i] = value / own));
    }
  }
}

/** The first `rows` rows of `columns` each, turned. */
function transposed(values: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) out[column * rows + row] = values[row * columns + column]!;
  return out;
}
