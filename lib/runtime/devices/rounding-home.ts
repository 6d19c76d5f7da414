import { GraphBuilder } from "../../onnx/builder.js";
import { inFloat32 } from "../../onnx/in-float32.js";
import type { KvDtype } from "../../checkpoint/kv-dtype.js";
import { hostHome, type AttentionKind, type Home } from "../home.js";
import { createSession } from "../session.js";

/**
 * A GPU's graphs of 16-bit numbers on the CPU: each operator computes in float32 and what it gives is rounded, as on a device that sums products in float32.
 * What 16 bits cost a model can be seen with it before a GPU is at hand; it is slower than float32.
 */
export function roundingHome(attention: AttentionKind = "fused", kvDtype: KvDtype = "fp16"): Home {
  const host = hostHome(attention, kvDtype);
  return {
    ...host,
    accuracy: "float16",
    oneCopy: () => false,
    byChannel: null,
    together: null,
    inPieces: { ...host.inPieces!, way: () => "beside" },
    builder: (name, floats) => new GraphBuilder(name, "fused", false, "", floats),
    load: (g, settings) => createSession(inFloat32(g), settings),
    decode: (config, step) => host.decode(config, { ...step, inPlace: false }),
  };
}
