import type { Tensor } from "onnxruntime-node";
import { GraphBuilder } from "../onnx/builder.js";
import { createSession, type LoadedGraph } from "./session.js";

type Copied = "float32" | "float16";

const copiers = new Map<Copied, Promise<LoadedGraph>>();

/**
 * A tensor of four axes, float32 or float16, from a WebGPU buffer to this process's memory, by a graph that copies it. ONNX Runtime's
 * own `getData` on such a tensor ends the process.
 * @returns its numbers; of float16 their bits
 */
export async function readBack(tensor: Tensor): Promise<Float32Array | Uint16Array> {
  if (tensor.location === "cpu") return tensor.data as Float32Array | Uint16Array;
  const type = tensor.type as Copied;
  let copier = copiers.get(type);
  if (!copier) {
    copiers.set(type, (copier = createCopier(type)));
    copier.catch(() => copiers.delete(type));
  }
  const { y } = await (await copier).run({ x: tensor });
  return y!.data as Float32Array | Uint16Array;
}

function createCopier(type: Copied): Promise<LoadedGraph> {
  const g = new GraphBuilder("copy", "standard");
  g.output(g.identity(g.input("x", type, ["a", "b", "c", "d"])), "y");
  return createSession(g, { provider: "webgpu" });
}
