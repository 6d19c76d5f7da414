// OpenVINO's provider itself, fetched from the package index (52 MB): what is taken of it, and that what it gets wrong is seen.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { measuredEnvironment } from "../../../../lib/bench/environment.js";
import { openCheckpoint } from "../../../../lib/checkpoint/open.js";
import { GraphBuilder } from "../../../../lib/onnx/builder.js";
import { provePlugin } from "../../../../lib/runtime/devices/plugin-check.js";
import { chooseDevice } from "../../../../lib/runtime/devices/open.js";
import { load } from "../../../../lib/runtime/model.js";
import { pluginHome } from "../../../../lib/runtime/providers/home.js";
import { addProvider } from "../../../../lib/runtime/providers/install/add.js";
import { pluginFile } from "../../../../lib/runtime/providers/installed.js";

const cache = mkdtempSync(join(tmpdir(), "sdtp-openvino-"));
process.env["SDTP_CACHE"] = cache;
after(() => rmSync(cache, { recursive: true }));
const missing = `${process.platform} ${process.arch}` === "linux x64" ? await addProvider("openvino").then(() => false, (error: Error) => `needs onnxruntime-ep-openvino: ${error.message}`) : "was tried on linux x64 alone";

describe("OpenVINO's provider", { skip: missing, timeout: 1_800_000 }, () => {
  const ids = Array.from({ length: 700 }, (_, i) => (i * 7919 + 13) % 1000);
  const quiet = { onDevice: () => {} };

  test("its fused rotary embedding is wrong without an error, and is refused by name", async () => {
    const plugin = await pluginFile("openvino");
    const verdict = await provePlugin(await openCheckpoint("tiny", {}), (options) => pluginHome(plugin, { ...options, builder: (name) => new GraphBuilder(name, "standard", false) }), { bfloat16: true, provider: "", version: null });
    assert.ok(!verdict.ok);
    assert.match(verdict.reason, /com\.microsoft\.RotaryEmbedding \(float32\), which is off by/);
  });

  test("in float32 it gives the CPU's tokens, caches and logits; rounded, its own record", async () => {
    const said: string[] = [];
    const onDevice = (message: string) => void said.push(message);
    const [cpu, exact, rounded] = [await load("tiny", { threads: 2 }), await load("tiny", { threads: 2, device: "openvino", accuracy: "float32", onDevice }), await load("tiny", { threads: 2, device: "openvino", ...quiet })];
    assert.deepEqual([exact.device, exact.computeDtype, rounded.computeDtype], ["openvino", "fp32", "bf16"]);
    assert.match(said[0]!, /^device: checking openvino against the CPU/);
    const runs = [];
    for (const model of [cpu, exact, rounded]) {
      const run = await model.prefill(ids, { preset: "keep07", scorer: "norm" });
      const next = await run.extend([5]);
      runs.push({ run, next });
    }
    const far = (a: Float32Array, b: Float32Array) => a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
    assert.deepEqual(runs[1]!.run.kept, runs[0]!.run.kept);
    assert.ok(far(runs[1]!.next, runs[0]!.next) < 1e-3);
    assert.deepEqual(runs[2]!.run.kv.lengths, runs[0]!.run.kv.lengths);
    const scale = runs[0]!.next.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    assert.ok(far(runs[2]!.next, runs[0]!.next) < 0.05 * scale);
    assert.match((await measuredEnvironment("openvino")).versions["provider openvino"]!, /^\d+\.\d+/);
    for (const model of [cpu, exact, rounded]) await model.release();
  });

  test("an aborted prompt rejects at once, and the model goes on; a second thread is asked for; auto does not take what was not measured", async () => {
    const model = await load("tiny", { threads: 2, device: "openvino", ...quiet });
    await model.warm(ids.length);
    const controller = new AbortController();
    const run = model.prefill(ids, { signal: controller.signal });
    setImmediate(() => controller.abort(new Error("enough")));
    await assert.rejects(run, { message: "enough" });
    assert.equal((await model.prefill(ids)).kv.lengths[0], ids.length);
    await model.release();
    const one = await load("tiny", { threads: 1, device: "openvino", ...quiet });
    await assert.rejects(one.prefill(ids), { message: "threads: 1 (with bfloat16 openvino takes 2 at least; accuracy: \"float32\" takes one)" });
    assert.ok((await chooseDevice({ ...quiet, modelHash: async () => "another" })).why.some((each) => /^openvino: its loss on this model was not measured/.test(each)));
  });
});
