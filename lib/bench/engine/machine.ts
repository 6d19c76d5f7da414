import { Tensor } from "onnxruntime-node";
import { GraphBuilder } from "../../onnx/builder.js";
import { createSession } from "../../runtime/session.js";
import { median } from "../statistics.js";

/** Columns of the matrix that is read: rows are shared out among the threads. */
const COLUMNS = 4096;

export interface BandwidthOptions {
  readonly threads: number;
  /**
   * Size of what is read; default 256 MB. What fits in a cache is read at the cache's speed: to hold something against
   * the result, read as many bytes as it does.
   */
  readonly bytes?: number;
  /** Reads of each kind; default 9. */
  readonly repeats?: number;
}

/**
 * Memory bandwidth as these threads reach it, in bytes a second: a float32 matrix is read once, by a sum over its rows,
 * by their maxima, and as the weights of a product with a vector, all spread over the threads by ONNX Runtime. The
 * fastest read of all counts, so that what is held against it has it hardest.
 */
export async function memoryBandwidth({ threads, bytes = 2 ** 28, repeats = 9 }: BandwidthOptions): Promise<number> {
  const rows = Math.max(threads, Math.round(bytes / 4 / COLUMNS));
  const matrix = new Float32Array(rows * COLUMNS).fill(1);
  const reduce = new GraphBuilder("bandwidth.reduce");
  const x = reduce.input("x", "float32", ["rows", COLUMNS]);
  reduce.output(reduce.reduceSum(x, [1]), "sum");
  reduce.output(reduce.reduceMax(x, [1]), "max");
  const product = new GraphBuilder("bandwidth.product");
  product.output(product.linear(product.input("v", "float32", [1, COLUMNS]), product.constant("float32", matrix, [rows, COLUMNS])), "product");
  const read = async (g: GraphBuilder, feeds: Record<string, Tensor>, outputs: readonly string[]) => {
    const session = await createSession(g, { threads });
    let fastest = Infinity;
    for (let repeat = 0; repeat <= repeats; repeat++) {
      for (const output of outputs) {
        const seconds = await timed(() => session.run(feeds, [output]));
        // The first read of each kind sizes ONNX Runtime's own buffers.
        if (repeat > 0) fastest = Math.min(fastest, seconds);
      }
    }
    await session.release();
    return fastest;
  };
  const seconds = Math.min(
    await read(reduce, { x: new Tensor("float32", matrix, [rows, COLUMNS]) }, ["sum", "max"]),
    await read(product, { v: new Tensor("float32", new Float32Array(COLUMNS).fill(1), [1, COLUMNS]) }, ["product"]),
  );
  return (rows * COLUMNS * 4) / seconds;
}

/**
 * What ONNX Runtime's float32 matrix product reaches with these threads, in operations a second: the median over
 * products of 4096 x 512 with 512 x 1408, the largest in the model that `sdtp bench engine` times. No prefill is faster.
 */
export async function matrixRate({ threads, repeats = 15 }: { readonly threads: number; readonly repeats?: number }): Promise<number> {
  const [rows, inner, columns] = [4096, 512, 1408];
  const g = new GraphBuilder("matrix");
  // Wide outputs are not handed back: reading them would count.
  g.output(g.reduceMax(g.linear(g.input("x", "float32", [rows, inner]), g.constant("float32", new Float32Array(columns * inner).fill(0.5), [columns, inner])), [1]), "y");
  const session = await createSession(g, { threads });
  const feeds = { x: new Tensor("float32", new Float32Array(rows * inner).fill(0.5), [rows, inner]) };
  const seconds: number[] = [];
  for (let repeat = 0; repeat <= repeats; repeat++) seconds.push(await timed(() => session.run(feeds)));
  await session.release();
  return (2 * rows * inner * columns) / median(seconds.slice(1));
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1e3;
}
