import { Tensor } from "onnxruntime-node";
import { decodeFloat16, encodeFloat16 } from "../../checkpoint/half.js";
import { Random } from "../../random.js";
import type { Home } from "../home.js";

/** Terms of a sum, as many as a large model has, and vectors and rows that are multiplied. */
const [TERMS, ROWS] = [4096, 32];
/**
 * Of the largest product: rounding a sum once costs half of 2⁻¹⁰ of it at most; one that is kept in 16 bits all along, in whatever order, is off by
 * several times as much.
 */
const TOLERANCE = 7e-4;

/** Why products of 16-bit numbers are not summed in float32 by a device; null: they are, of one vector and of many. */
export async function wrongSums(home: Pick<Home, "builder" | "load" | "release">): Promise<string | null> {
  const random = new Random(1);
  const numbers = (count: number) => encodeFloat16(Float32Array.from({ length: count }, () => 2 * random.next() - 1));
  const [x, weight] = [numbers(ROWS * TERMS), numbers(ROWS * TERMS)];
  for (const rows of [1, ROWS]) {
    const g = home.builder("sums", "float16");
    const given = g.input("x", "float16", [rows, TERMS]);
    const stored = g.inline("weight", "float16", [ROWS, TERMS], new Uint8Array(weight.buffer));
    g.output(g.cast(g.linear(given, stored), "float32"), "y");
    const graph = await home.load(g, { threads: 1 });
    try {
      const { y } = await graph.run({ x: new Tensor("float16", x.subarray(0, rows * TERMS), [rows, TERMS]) });
      const off = furthest(y!.data as Float32Array, decodeFloat16(x), decodeFloat16(weight));
      if (!(off <= TOLERANCE)) return `products of 16-bit numbers are not summed in float32: off by ${off.toPrecision(2)} of the largest`;
    } finally {
      await home.release(graph);
    }
  }
  return null;
}

/** Largest distance of `y` `[n, ROWS]` from the products in float64, as a share of the largest. */
function furthest(y: Float32Array, x: Float32Array, weight: Float32Array): number {
  let [most, scale] = [0, 0];
  y.forEach((value, at) => {
    const [row, column] = [Math.floor(at / ROWS), at % ROWS];
    let sum = 0;
    for (let i = 0; i < TERMS; i++) sum += x[row * TERMS + i]! * weight[column * TERMS + i]!;
    scale = Math.max(scale, Math.abs(sum));
    const far = Math.abs(sum - value);
    most = Number.isNaN(far) ? Infinity : Math.max(most, far);
  });
  return most / scale;
}
