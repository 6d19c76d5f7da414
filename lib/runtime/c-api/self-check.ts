import { Tensor } from "onnxruntime-node";
import { GraphBuilder } from "../../onnx/builder.js";
import { toOnnx } from "../../onnx/serialize.js";
import type { Library } from "./library.js";
import { CApiSession } from "./session.js";

const ROWS = [[1, 2, 3], [4, 5, 6]] as const;
const WEIGHT = [[1, 0, -1], [2, 1, 0], [0, 3, 1], [1, 1, 1]] as const;

/**
 * Runs a small graph of two operators and two element types and holds the numbers against those computed here; sees that an error comes as one
 * and that a stopped run stops. Some milliseconds. @throws with what is wrong
 */
export async function selfCheck(library: Library): Promise<void> {
  const g = new GraphBuilder("self-check");
  const x = g.input("x", "float32", ["rows", 3]);
  const row = g.input("row", "int64", [1]);
  const weight = g.inline("weight", "float32", [4, 3], new Uint8Array(Float32Array.from(WEIGHT.flat()).buffer));
  g.output(g.linear(g.gather(x, row), weight), "y");
  g.output(g.identity(row), "same");
  const session = CApiSession.open(library, toOnnx(g), { threads: 1 });
  try {
    const feeds = { x: new Tensor("float32", Float32Array.from(ROWS.flat()), [2, 3]), row: new Tensor("int64", BigInt64Array.of(1n), [1]) };
    const { y, same } = await session.run(feeds);
    const expected = WEIGHT.map((weights) => weights.reduce<number>((sum, w, i) => sum + w * ROWS[1][i]!, 0));
    if (y!.dims.join() !== "1,4" || !expected.every((each, i) => (y!.data as Float32Array)[i] === each)) throw new Error(`a product came out as [${String(y!.data)}] (must be [${String(expected)}])`);
    if (same!.type !== "int64" || (same!.data as BigInt64Array)[0] !== 1n) throw new Error(`int64 1 came back as ${same!.type} ${String(same!.data)}`);
    const wrong = await session.run({ ...feeds, row: new Tensor("float32", Float32Array.of(0), [1]) }).then(() => null, (error: unknown) => error);
    if (!(wrong instanceof Error) || !/type/i.test(wrong.message)) throw new Error("an input of a wrong type was taken");
  } finally {
    await session.release();
  }
}
