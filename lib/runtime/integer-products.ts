import { Tensor } from "onnxruntime-node";
import { once } from "../checkpoint/once.js";
import { GraphBuilder } from "../onnx/builder.js";
import { createSession } from "./session.js";

/** Enough rows, inputs and outputs for the processor's own units, and for what is left beside their tiles. */
const [ROWS, INPUTS, OUTPUTS] = [70, 200, 70];

/**
 * Whether ONNX Runtime's products of 8-bit integers are exact on this processor. Those with AVX2 but without VNNI add two products of an unsigned
 * and a signed element in 16 bits, and what goes beyond them is cut off: tried once with the largest elements there are.
 */
export const exactIntegerProducts = once(async (): Promise<boolean> => {
  const g = new GraphBuilder("integer products");
  const weights = g.constant("int8", Array.from({ length: INPUTS * OUTPUTS }, (_, i) => sign(Math.floor(i / OUTPUTS), i % OUTPUTS) * 127), [INPUTS, OUTPUTS]);
  const scales = g.constant("float32", new Float32Array(OUTPUTS).fill(1));
  g.output(g.linearByChannel(g.input("x", "float32", ["n", INPUTS]), { weights, scales }), "y");
  const session = await createSession(g, { threads: 1 });
  try {
    const x = Float32Array.from({ length: ROWS * INPUTS }, (_, i) => sign(i % INPUTS, Math.floor(i / INPUTS)));
    const { y } = await session.run({ x: new Tensor("float32", x, [ROWS, INPUTS]) }, ["y"]);
    return (y!.data as Float32Array).every((value, i) => Math.abs(value - expected(Math.floor(i / OUTPUTS), i % OUTPUTS)) < 1);
  } finally {
    await session.release();
  }
});

/** 1 for all inputs of row or output 0, and other patterns of 1 and -1 for others. */
const sign = (input: number, of: number): number => (of > 0 && Math.floor(input / of) % 2 === 1 ? -1 : 1);

function expected(row: number, output: number): number {
  let sum = 0;
  for (let input = 0; input < INPUTS; input++) sum += sign(input, row) * sign(input, output) * 127;
  return sum;
}
