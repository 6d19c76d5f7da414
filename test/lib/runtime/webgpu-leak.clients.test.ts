// Minutes on a software driver, hence not among the tests that always run.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { generate } from "../../../lib/runtime/generate.js";
import { deviceTensors } from "../../../lib/runtime/device-cache.js";
import { load } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { webgpuMissing } from "./webgpu-adapter.js";

describe("memory of the device", { skip: await webgpuMissing() }, () => {
  test("200 generations leave nothing behind", async () => {
    const tiny = tinyCheckpoint("llama");
    const model = await load(tiny.folder, { threads: 1, device: "webgpu", attention: "plain" });
    const ids = Array.from({ length: 256 }, (_, i) => (i * 7 + 1) % tiny.config.vocab_size);
    const resident: number[] = [];
    let bytes = 0;
    for (let generation = 1; generation <= 200; generation++) {
      const { run } = await generate(model, ids, { maxNewTokens: 2, fixedLength: true });
      if (generation % 50 === 0) resident.push(process.memoryUsage().rss);
      bytes = run.kv.bytes;
      run.dispose();
      assert.equal(deviceTensors(), 0, `after generation ${generation}`);
    }
    await model.release();
    tiny.remove();
    // That caches give up what they hold is counted above, tensor by tensor; here it is seen that the provider frees it. With a
    // software driver, buffers are this process's own memory: were the caches of each generation's prefill and steps left,
    // 150 generations would add this much.
    const leaked = 150 * 3 * bytes;
    const grown = resident.at(-1)! - resident[0]!;
    console.log(`resident memory after 50, 100, 150 and 200 generations: ${resident.map((size) => (size / 1e6).toFixed(1)).join(", ")} MB; a leak would be ${(leaked / 1e6).toFixed(0)} MB`);
    assert.ok(grown < leaked / 4, `resident memory grew by ${grown} bytes in 150 generations (${resident.join(", ")}); a leak would be ${leaked}`);
  });
});
