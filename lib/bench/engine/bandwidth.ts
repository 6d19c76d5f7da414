import { Tensor } from "onnxruntime-node";
import { GraphBuilder } from "../../onnx/builder.js";
import { createSession } from "../../runtime/session.js";

/** Columns of the matrix that is read: rows are shared out among the threads. */
const COLUMNS = 4096;

export interface BandwidthOptions {
  readonly threads: number;
  /** Size of what is read, well beyond the processor's caches; default 256 MB. */
  readonly bytes?: number;
  /** Reads of each kind; default 9. */
  readonly repeats?: number;
}

/**
 * Memory bandwidth as these threads reach it, in bytes a second: a float32 matrix that fits in no cache is read once,
 * by a sum over its rows, by their maxima and by a product with a vector, all spread over the threads by ONNX Runtime,
 * which reads inputs where they lie. The fastest read of all counts, so that what is held against it has it hardest.
 */
export async function memoryBandwidth({ threads, bytes = 2 ** 28, repeats = 9 }: BandwidthOptions): Promise<number> {
  const rows = Math.max(threads, Math.round(bytes / 4 / COLUMNS));
  const g = new GraphBuilder("bandwidth");
  const x = g.input("x", "float32", ["rows", COLUMNS]);
  g.output(g.reduceSum(x, [1]), "sum");
  g.output(g.reduceMax(x, [1]), "max");
  g.output(g.matmul(x, g.input("v", "float32", [COLUMNS, 1])), "product");
  const session = await createSession(g, { threads });
  const feeds = {
    x: new Tensor("float32", new Float32Array(rows * COLUMNS).fill(1), [rows, COLUMNS]),
    v: new Tensor("float32", new Float32Array(COLUMNS).fill(1), [COLUMNS, 1]),
  };
  let fastest = Infinity;
  for (let repeat = 0; repeat <= repeats; repeat++) {
    for (const output of ["sum", "max", "product"]) {
      const started = performance.now();
      await session.run(feeds, [output]);
      // The first read of each kind sizes ONNX Runtime's own buffers.
      if (repeat > 0) fastest = Math.min(fastest, performance.now() - started);
    }
  }
  await session.release();
  return (rows * COLUMNS * 4) / (fastest / 1e3);
}
