import type { KvDtype } from "../../decoder/cache-input.js";
import { hostHome, type AttentionKind, type Home } from "../home.js";
import { webgpuHome } from "../webgpu-home.js";

/** Where a model can be asked to run. */
export const devices = ["cpu", "webgpu"] as const;
export type Device = (typeof devices)[number];

export interface HomeOptions {
  readonly attention?: AttentionKind;
  readonly kvDtype?: KvDtype;
}

/**
 * On WebGPU attention is spelled out unless asked otherwise: drivers get the fused one wrong.
 * @throws on an unknown device, and on a cache dtype that the device has not
 */
export async function openHome(device: Device = "cpu", { attention, kvDtype = "fp32" }: HomeOptions = {}): Promise<Home> {
  switch (device) {
    case "cpu": return hostHome(attention, kvDtype);
    case "webgpu":
      if (kvDtype !== "fp32") throw new Error(`kvDtype: ${kvDtype} (on webgpu caches are fp32)`);
      return webgpuHome({ prefill: attention ?? "plain", decode: attention ?? "plain" });
    default: throw new Error(`device: ${String(device)} (must be ${devices.join(", ")})`);
  }
}
