import type { KvDtype } from "../../checkpoint/kv-dtype.js";
import { inFloat32 } from "../../onnx/in-float32.js";
import type { AttentionKind, Home } from "../home.js";
import { createSession } from "../session.js";
import { cudaGraphs } from "./cuda-graphs.js";

/**
 * CUDA's graphs of 16-bit numbers on the CPU: each operator computes in float32 and what it gives is rounded, as on a device that sums products in float32.
 * What 16 bits cost a model can be seen with it before a GPU is at hand; it is slower than float32.
 */
export function roundingHome(attention: AttentionKind = "fused", kvDtype: KvDtype = "fp16"): Home {
  return { ...cudaGraphs(attention, "float16", kvDtype), load: (g, settings) => createSession(inFloat32(g), settings) };
}
