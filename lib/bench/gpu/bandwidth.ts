import { Tensor } from "onnxruntime-node";
import { GraphBuilder } from "../../onnx/builder.js";
import { createSession, type BuiltIn } from "../../runtime/session.js";
import { memoryBandwidth } from "../engine/machine.js";

const COLUMNS = 4096;
/** Products in one run: what starting a run costs must not count. */
const READS = 8;
const REPEATS = 9;

/** Memory bandwidth of a device in bytes a second: a float32 matrix read as the weights of products with a vector, the fastest of several runs. */
export async function deviceBandwidth({ device, threads, bytes }: { readonly device: BuiltIn; readonly threads: number; readonly bytes: number }): Promise<number> {
  if (device === "cpu") return memoryBandwidth({ threads, bytes });
  const rows = Math.max(COLUMNS, Math.round(bytes / 4 / COLUMNS));
  const g = new GraphBuilder("bandwidth", device === "webgpu" ? "standard" : "fused");
  // Stored as it is read, without a transposition.
  const matrix = g.constant("float32", new Float32Array(rows * COLUMNS).fill(1 / COLUMNS), [rows, COLUMNS]);
  let x = g.input("v", "float32", [1, rows]);
  for (let read = 0; read < READS; read++) {
    const product = g.matmul(x, matrix);
    // Each needs what the one before gave: none is left out, none is done at the same time.
    x = read === READS - 1 ? product : g.concat(Array.from({ length: rows / COLUMNS }, () => product), 1, rows);
  }
  g.output(x, "product");
  const session = await createSession(g, { threads, provider: device });
  const feeds = { v: new Tensor("float32", new Float32Array(rows).fill(1), [1, rows]) };
  let fastest = Infinity;
  for (let repeat = 0; repeat <= REPEATS; repeat++) {
    const started = performance.now();
    await session.run(feeds);
    // The first run compiles kernels and finds their buffers.
    if (repeat > 0) fastest = Math.min(fastest, (performance.now() - started) / 1e3);
  }
  await session.release();
  return (READS * rows * COLUMNS * 4) / fastest;
}
