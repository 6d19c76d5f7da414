// The process in which a device proves itself: a driver that gets things badly wrong takes only this one with it. Started by verdict.ts.
import { checkDevice, firstLine } from "./check.js";
import type { ToCheck } from "./verdict.js";

process.on("disconnect", () => process.exit(1));
process.once("message", async ({ device, plugin, model }: ToCheck) => {
  (plugin ? (await import("./plugin-check.js")).checkPlugin(plugin, model) : checkDevice(device, model))
    .catch((error: unknown) => ({ ok: false, reason: firstLine(error) }))
    .then((verdict) => process.send!(verdict, undefined, {}, () => process.exit(0)));
});
