import { isPluginName, type PluginName } from "../providers/names.js";

/** Where a model can be asked to run. `auto`: the best device that proves itself; `plugin:NAME` besides: a plugin provider of ONNX Runtime. */
export const devices = ["cpu", "webgpu", "cuda", "openvino", "auto"] as const;
export type Device = (typeof devices)[number] | PluginName;

/** What a device's name must be, for messages. */
export const mustBeDevice = `must be ${devices.join(", ")}, or plugin:NAME for another plugin provider: sdtp provider list`;

/** @throws on another device, with those known */
export function requireDevice(text: string): Device {
  const device = devices.find((each) => each === text);
  if (device) return device;
  if (isPluginName(text)) return text;
  throw new Error(`device: ${text} (${mustBeDevice})`);
}
