/** Where a model can be asked to run. `auto`: the best device that proves itself. */
export const devices = ["cpu", "webgpu", "cuda", "auto"] as const;
export type Device = (typeof devices)[number];

/** @throws on another device, with those known */
export function requireDevice(text: string): Device {
  const device = devices.find((each) => each === text);
  if (!device) throw new Error(`device: ${text} (must be ${devices.join(", ")})`);
  return device;
}
