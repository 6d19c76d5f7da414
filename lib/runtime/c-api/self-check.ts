import { Tensor } from "onnxruntime-node";
import type { Library } from "./library.js";
import { CApiSession } from "./session.js";

/** The row `row` of `x` times `WEIGHT` transposed, in ONNX as it is written (its test makes it anew): the writer takes many modules, which loading a model does without. */
export const SELF_CHECK_GRAPH = "CAoSDXNkdHAtbm90ZWJvb2s6xwMKMQoBeAoDcm93EgZnYXRoZXIaCEdhdGhlcl8wIgZHYXRoZXIqCwoEYXhpcxgAoAECOgAKdwoGZ2F0aGVyCgZ3ZWlnaHQSC2Z1c2VkbWF0bXVsGg1GdXNlZE1hdE11bF8xIgtGdXNlZE1hdE11bCoNCgZ0cmFuc0EYAKABAioNCgZ0cmFuc0IYAaABAioPCgVhbHBoYRUAAIA/oAEBOg1jb20ubWljcm9zb2Z0CicKA3JvdxIIaWRlbnRpdHkaCklkZW50aXR5XzIiCElkZW50aXR5OgAKJAoLZnVzZWRtYXRtdWwSAXkaCG91dHB1dF95IghJZGVudGl0eQonCghpZGVudGl0eRIEc2FtZRoLb3V0cHV0X3NhbWUiCElkZW50aXR5EgpzZWxmLWNoZWNrKkAIBAgDEAFCBndlaWdodEowAACAPwAAAAAAAIC/AAAAQAAAgD8AAAAAAAAAAAAAQEAAAIA/AACAPwAAgD8AAIA/WhcKAXgSEgoQCAESDAoGEgRyb3dzCgIIA1oRCgNyb3cSCgoICAcSBAoCCAFiEwoBeRIOCgwIARIICgIIAQoCCARiEgoEc2FtZRIKCggIBxIECgIIAUIECgAQFUIRCg1jb20ubWljcm9zb2Z0EAE=";

const ROWS = [[1, 2, 3], [4, 5, 6]] as const;
export const WEIGHT = [[1, 0, -1], [2, 1, 0], [0, 3, 1], [1, 1, 1]] as const;

/**
 * Runs a small graph of two operators and two element types and holds the numbers against those computed here; sees that an error comes as one
 * and that a stopped run stops. Some milliseconds. @throws with what is wrong
 */
export async function selfCheck(library: Library): Promise<void> {
  const session = await CApiSession.open(library, Buffer.from(SELF_CHECK_GRAPH, "base64"), { threads: 1 });
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
