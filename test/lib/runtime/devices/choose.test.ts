import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { chooseDevice, openHome } from "../../../../lib/runtime/devices/open.js";
import { driverFacts, onlySoftware } from "../../../../lib/runtime/devices/driver.js";
import { checked } from "../../../../lib/runtime/devices/verdict.js";
import { load } from "../../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../../reference/checkpoints.js";
import { webgpuMissing } from "../webgpu-adapter.js";

// Before anything hides the drivers: ONNX Runtime looks for them once.
const missing = await webgpuMissing();

/** A cache folder of its own, and no driver unless one is named. */
function alone(t: TestContext, drivers?: string): string {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-device-"));
  const before = { ...process.env };
  process.env["SDTP_CACHE"] = folder;
  if (drivers !== undefined) process.env["VK_ICD_FILENAMES"] = process.env["VK_DRIVER_FILES"] = drivers;
  t.after(() => {
    for (const name of ["SDTP_CACHE", "VK_ICD_FILENAMES", "VK_DRIVER_FILES"]) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
    rmSync(folder, { recursive: true });
  });
  return folder;
}

test("auto without a driver is the CPU, and says why once", { skip: process.platform !== "linux" && "drivers cannot be hidden here" }, async (t) => {
  alone(t, "/nonexistent/driver.json");
  const said: string[] = [];
  const onDevice = (message: string) => void said.push(message);
  for (let i = 0; i < 2; i++) assert.equal((await load("tiny", { device: "auto", onDevice })).device, "cpu");
  assert.equal(said.length, 2, said.join("\n"));
  assert.match(said[0]!, /^device: checking webgpu against the CPU/);
  assert.match(said[1]!, /^device: cpu \(webgpu: Failed to get a WebGPU adapter/);
  await assert.rejects(openHome("webgpu", { onDevice }), /^Error: device: webgpu \(Failed to get a WebGPU adapter.*sdtp doctor/);
  assert.deepEqual((await chooseDevice({ kvDtype: "int8", onDevice })).why, ["webgpu: has no int8 caches"]);
});

test("auto passes a software driver over, which is slower than the CPU itself", { skip: process.platform !== "linux" && "drivers are not seen here" }, async (t) => {
  const folder = alone(t, join(tmpdir(), "none.json"));
  const manifest = join(folder, "icd.json");
  writeFileSync(manifest, JSON.stringify({ ICD: { library_path: "./libvk_swiftshader.so" } }));
  process.env["VK_DRIVER_FILES"] = manifest;
  const { device, why } = await chooseDevice({ onDevice: () => {} });
  assert.deepEqual([device, why], ["cpu", ["webgpu: has a software driver only, which is slower than the CPU itself"]]);
});

test("unknown devices and CUDA that is not installed are refused with what would be right", async () => {
  await assert.rejects(openHome("gpu" as never), { message: "device: gpu (must be cpu, webgpu, cuda, openvino, auto, or plugin:NAME for another plugin provider: sdtp provider list)" });
  await assert.rejects(openHome("cuda", { attention: "plain" }), /^Error: device: cuda \(its provider is not installed; to install it: npx sdtp cuda --install npm\)/);
});

test("a driver is told from another by its library", (t) => {
  const folder = alone(t);
  const manifest = join(folder, "icd.json");
  writeFileSync(manifest, JSON.stringify({ ICD: { library_path: "./libdriver.so.1.2.3" } }));
  const env = { VK_ICD_FILENAMES: manifest };
  const library = join(folder, "libdriver.so.1.2.3");
  assert.deepEqual(driverFacts(env).vulkan, process.platform === "linux" ? [{ file: manifest, library, bytes: null, changed: null }] : []);
  writeFileSync(library, "abc");
  if (process.platform === "linux") assert.equal(driverFacts(env).vulkan[0]!.bytes, 3);
  assert.equal(onlySoftware(driverFacts(env)), false);
});

test("a device that proves itself is taken with what it was found to get right; the check is kept", { skip: missing }, async (t) => {
  alone(t);
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  let checks = 0;
  const record = await checked("webgpu", { model: folder, onStart: () => checks++ });
  assert.ok(record.verdict.ok, JSON.stringify(record.verdict));
  assert.ok(record.verdict.differences.prefillLogits <= 1e-3 && record.seconds > 0);
  assert.deepEqual(await checked("webgpu", { model: folder, onStart: () => checks++ }), record);
  assert.equal(checks, 1);
});
