// What ONNX Runtime's C API says of libraries that are no plugin providers, and what a user is told.
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { backend } from "../../../../lib/runtime/c-api/backend.js";
import { libraryPath } from "../../../../lib/runtime/c-api/library.js";
import { openHome } from "../../../../lib/runtime/devices/open.js";
import { tooCostly, storedLoss, storeLoss, type ProviderLoss } from "../../../../lib/runtime/providers/loss.js";
import { pluginForAuto } from "../../../../lib/runtime/providers/auto.js";
import { pluginDevices } from "../../../../lib/runtime/providers/session.js";
import { sdtp } from "../../cli/sdtp.js";

const folder = mkdtempSync(join(tmpdir(), "sdtp-library-"));
process.env["SDTP_CACHE"] = join(folder, "cache");
after(() => rmSync(folder, { recursive: true }));
const { library } = await backend();
const skip = !library && "ONNX Runtime's C API is not used here";

test("a file that is no library, and a library that makes no providers, are refused with the reason", { skip }, async () => {
  const text = join(folder, "text.so");
  writeFileSync(text, "no library");
  await assert.rejects(pluginDevices(text), /text\.so/);
  await assert.rejects(pluginDevices(join(folder, "none.so")), /none\.so/);
  // Another of ONNX Runtime's own would share what it holds for the process.
  const other = join(folder, "other.so");
  copyFileSync(join(libraryPath(), "..", "onnxruntime_binding.node"), other);
  await assert.rejects(pluginDevices(other), /CreateEpFactories|other\.so/);
});

test("a device of such a library is refused in one sentence, each time anew where its check could not be made", { skip }, async () => {
  const text = join(folder, "broken.so");
  writeFileSync(text, "no library");
  await assert.rejects(openHome("plugin:broken", { providerLibrary: text, onDevice: () => {} }), ({ message }: Error) => message.startsWith("device: plugin:broken (") && message.includes("broken.so") && !message.includes("\n"));
  await assert.rejects(openHome("openvino", { onDevice: () => {} }), /sdtp provider add openvino/);
  await assert.rejects(openHome("openvino", { accuracy: "float16" }), /sdtp provider add openvino|must be bfloat16 or float32/);
  await assert.rejects(openHome("cpu", { accuracy: "bfloat16" }), { message: "accuracy: bfloat16 (is for plugin providers as openvino, not cpu)" });
  await assert.rejects(openHome("openvino", { worker: true }), /worker: true/);
});

const loss: ProviderLoss = {
  device: "openvino", version: "1.8.1", processor: "p", model: "m", model_hash: "h", dtype: "fp32", compute_dtype: "bf16", length: 1024, prompts: 100, loss: { cpu: 3, device: 3.001 },
  extra_loss: { mean: 0.001, low: -0.001, high: 0.003 }, same_first_choice: 98, kept_same: 0.995, keys_right: { cpu: 60, device: 60 }, prefill_seconds: { cpu: 1, device: 0.5 }, threads: 2, time: "",
};

test("auto takes what was measured to cost little and to be faster, and says why not", () => {
  assert.equal(tooCostly(loss), null);
  for (const [change, why] of [
    [{ prompts: 20 }, /was measured on 20 prompts/], [{ extra_loss: { mean: 0.02, low: 0, high: 1 } }, /costs 0\.0200 nats/], [{ extra_loss: { mean: NaN, low: 0, high: 1 } }, /nats/],
    [{ kept_same: 0.9 }, /keeps 90\.0 %/], [{ keys_right: { cpu: 60, device: 55 } }, /finds 55 pass keys, the CPU 60/], [{ prefill_seconds: { cpu: 1, device: 1.2 } }, /takes 1\.200 s/],
  ] as const) assert.match(tooCostly({ ...loss, ...change })!, why);
});

test("what was measured is kept for a library and a model, the last of it", async () => {
  const plugin = { device: "openvino", file: "/x.so", version: "1.8.1" } as const;
  assert.equal(await storedLoss(plugin, "h"), null);
  await storeLoss(plugin, { ...loss, prompts: 10 });
  await storeLoss(plugin, loss);
  assert.deepEqual(await storedLoss(plugin, "h"), loss);
  assert.equal(await storedLoss(plugin, "another"), null);
  assert.equal(await storedLoss({ ...plugin, version: "1.9" }, "h"), null);
  assert.equal(await pluginForAuto(async () => "h", []), null, "it is not installed");
});

test("the command line says what is there and what is wrong", async () => {
  const list = await sdtp(folder, "provider", "list");
  assert.deepEqual([list.code, list.stdout], [0, "no providers were added (sdtp provider add openvino)\n"]);
  const missing = await sdtp(folder, "generate", "--device", "openvino", "--prompt", "x");
  assert.deepEqual([missing.code, missing.stderr.trim()], [1, "sdtp: device: openvino (its provider is not installed; to install it: sdtp provider add openvino; a library of one's own is named by --provider-library)"]);
  const wrong = await sdtp(folder, "generate", "--device", "plugin:mine", "--provider-library", "none.so", "--prompt", "x");
  assert.match(wrong.stderr, /^sdtp: provider library: none\.so \(no such file/);
  assert.match((await sdtp(folder, "generate", "--device", "gpu", "--prompt", "x")).stderr, /argument .gpu. is invalid\. must be cpu, webgpu, cuda, openvino, auto/);
});
