// The process in which a device proves itself: a driver that gets things badly wrong takes only this one with it. Started by verdict.ts.
import { checkDevice, firstLine } from "./check.js";
import type { Accelerator } from "./verdict.js";

process.on("disconnect", () => process.exit(1));
process.once("message", ({ device, model }: { device: Accelerator; model: string }) => {
  checkDevice(device, model)
    .catch((error: unknown) => ({ ok: false, reason: firstLine(error) }))
    .then((verdict) => process.send!(verdict, undefined, {}, () => process.exit(0)));
});
