import type { Tensor } from "onnxruntime-node";
import { GraphBuilder } from "../onnx/builder.js";
import { createSession, type LoadedGraph } from "./session.js";

let copier: Promise<LoadedGraph> | null = null;

/**
 * A float32 tensor of four axes from a WebGPU buffer to this process's memory, by a graph that copies it. ONNX Runtime's
 * own `getData` on such a tensor ends the process.
 */
export async function readBack(tensor: Tensor): Promise<Float32Array> {
  copier ??= createCopier();
  copier.catch(() => (copier = null));
  const { y } = await (await copier).run({ x: tensor });
  return y!.data as Float32Array;
}

function createCopier(): Promise<LoadedGraph> {
  const g = new GraphBuilder("copy", "standard");
  g.output(g.identity(g.input("x", "float32", ["a", "b", "c", "d"])), "y");
  return createSession(g, { provider: "webgpu" });
}
