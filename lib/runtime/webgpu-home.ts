import type { ModelConfig } from "../checkpoint/types.js";
import { FUSED_HEAD_MULTIPLE } from "../methods/plan/pieces.js";
import type { Accuracy } from "../decoder/checkpoint-weights.js";
import { deviceDecodeGraph } from "../decoder/decode-device.js";
import { GraphBuilder } from "../onnx/builder.js";
import { kvDtypeOf } from "./compute-dtype.js";
import { DeviceCache, isMasked } from "./device-cache.js";
import type { AttentionKind, Home } from "./home.js";
import { release } from "./lease.js";
import { createSession } from "./session.js";

/** Which attention a driver gets right, for prompts and for one token at a time. */
export interface DeviceAttention {
  readonly prefill: AttentionKind;
  readonly decode: AttentionKind;
}

/** What is computed in: 16-bit numbers only where the device has them, and sums their products in float32 (see `checked`). */
export type GpuAccuracy = Exclude<Accuracy, "int8">;

/** WebGPU: caches in buffers of the device from prefill on. */
export function webgpuHome({ prefill, decode }: DeviceAttention, accuracy: GpuAccuracy = "float32"): Home {
  return {
    device: "webgpu",
    attention: (config) => (isSimple(config) ? prefill : "plain"),
    ragged: false,
    evictsInGraph: true,
    takesAllOutputs: true,
    // Whether a GPU has 16-bit numbers depends on its features: so that the same is computed everywhere, none does unless asked.
    accuracy,
    kvDtype: kvDtypeOf(accuracy),
    wideTables: accuracy === "float32",
    builder: (name, floats) => new GraphBuilder(name, "standard", false, "", floats),
    load: (g, settings) => createSession(g, { ...settings, provider: "webgpu", onDevice: ["key.", "value."] }),
    decode(config, { count, attention }) {
      const masked = isMasked(config, count);
      const kind = masked || attention || !isSimple(config) ? "plain" : decode;
      return {
        key: `decode ${kind}${masked ? " masked" : ""}${attention ? " attention" : ""}`,
        build: (g, weights) => deviceDecodeGraph(g, weights, config, { kind, masked, attention }),
      };
    },
    loop: null,
    release,
    cache: (config, session, results, present, kept) => DeviceCache.fromPrefill(config, session, results, kept ? present.map(() => kept) : present),
  };
}

/** Whether attention is the one that devices were checked with: windows, capped scores and sinks are spelled out. */
function isSimple({ slidingWindow, attentionSoftcap, attentionSinks, headDim }: ModelConfig): boolean {
  return slidingWindow === null && attentionSoftcap === null && !attentionSinks && headDim % FUSED_HEAD_MULTIPLE === 0;
}
