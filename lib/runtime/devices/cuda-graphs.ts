import type { KvDtype } from "../../checkpoint/kv-dtype.js";
import { GraphBuilder } from "../../onnx/builder.js";
import { hostHome, type AttentionKind, type Home } from "../home.js";
import type { GpuAccuracy } from "../webgpu-home.js";

/** The CPU's graphs as CUDA is given them, caches in this process's memory; loaded on the CPU by whoever does not say how. */
export function cudaGraphs(attention: AttentionKind, accuracy: GpuAccuracy, kvDtype: KvDtype): Home {
  const host = hostHome(attention, kvDtype);
  return {
    ...host,
    // CUDA's fused attention takes 16-bit numbers alone: others ONNX Runtime would take back to the CPU.
    attention: () => (accuracy === "float16" ? attention : "plain"),
    accuracy,
    // Each graph takes its own to the device.
    oneCopy: () => false,
    // ONNX Runtime would take them back to the CPU.
    byChannel: null,
    together: null,
    // Nothing is written in place there.
    inPieces: { ...host.inPieces!, way: () => "beside" },
    decode: (config, step) => host.decode(config, { ...step, inPlace: false }),
    // ONNX Runtime's experts for CUDA have another layout.
    builder: (name, floats) => new GraphBuilder(name, "fused", false, "", floats),
  };
}
