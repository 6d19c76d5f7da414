import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { diffRuns, kvDrift, kvNorms, retentionMap, scoreDistributions, tokenFates, trackRun, verifyRun } from "../../../lib/inspect/index.js";
import { writeSafetensors } from "../../../lib/checkpoint/safetensors.js";
import { loadRun } from "../../../lib/runtime/load-run.js";
import { load } from "../../../lib/runtime/model.js";
import { direction, prompt, setup, twice } from "./setup.js";

describe("a saved run", async () => {
  const { model, prefill, close } = await setup();
  const folder = mkdtempSync(join(tmpdir(), "sdtp-run-"));
  after(async () => {
    await close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("holds the same cache, stages, activations and text, and gives the same data", async () => {
    const run = await model.prefill(prompt, { preset: twice, scorer: direction, scores: true, capture: ["block.1.hidden", "block.2.attention.weights"] });
    await run.extend([3]);
    const file = join(folder, "run.safetensors");
    await run.save(file);
    const loaded = await loadRun(file);
    assert.deepEqual(loaded.kv.summary(), run.kv.summary());
    for (const [l, layer] of run.kv.layers.entries()) {
      assert.deepEqual(loaded.kv.layer(l).positions, layer.positions);
      for (const part of ["key", "value"] as const) assert.deepEqual(loaded.kv.layer(l)[part](1), layer[part](1));
    }
    assert.deepEqual(loaded.stages.map(({ kept, dropped, forced, scores }) => ({ kept, dropped, forced, scores })), run.stages.map(({ kept, dropped, forced, scores }) => ({ kept, dropped, forced, scores })));
    assert.deepEqual([...loaded.activations], [...run.activations]);
    assert.deepEqual(await loaded.texts(), await run.texts());
    assert.equal((await loaded.texts())!.length, 48);
    assert.deepEqual([loaded.ids, loaded.preset, loaded.scorer, loaded.kvPolicy, loaded.position, loaded.kvLengthsAfterPrefill, loaded.modelName],
      [run.ids, run.preset, run.scorer, run.kvPolicy, 49, [48, 38, 28], run.modelName]);
    assert.deepEqual(loaded.logits, run.logits);
    for (const view of [tokenFates, retentionMap, scoreDistributions, kvNorms] as const) assert.deepEqual(view(loaded), view(run));
    assert.equal(diffRuns(loaded, run).onlyA.length, 0);
    assert.deepEqual(await kvDrift(loaded, { against: await run.unpruned() }), await kvDrift(run));
    assert.ok((await verifyRun(loaded, { against: await run.unpruned() })).ok);
    assert.equal((await verifyRun(loaded)).checks.at(-1)!.ok, null);
  });

  test("cannot be continued, and says so", async () => {
    const file = join(folder, "still.safetensors");
    await (await prefill()).save(file);
    const loaded = await loadRun(file);
    await assert.rejects(loaded.extend([1]), /run: .*still\.safetensors \(a saved run can be looked at and compared, not continued\)/);
    await assert.rejects(trackRun(loaded), /a saved run has no model to compute the unpruned one with/);
  });

  test("is a plain safetensors file: bytes at the offsets that its header gives", async () => {
    const run = await prefill("evict");
    const file = join(folder, "plain.safetensors");
    await run.save(file);
    const bytes = readFileSync(file);
    const length = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, { shape: number[]; dtype: string; data_offsets: [number, number] }>;
    const { shape, dtype, data_offsets: [begin, end] } = header["layer.2.key"]!;
    assert.deepEqual([shape, dtype], [[2, 28, 8], "F32"]);
    const data = bytes.subarray(8 + length + begin, 8 + length + end);
    assert.equal(data.readFloatLE(4 * (28 * 8 + 3)), run.kv.layer(2).key(1)[3]);
  });

  for (const kvDtype of ["fp16", "int8"] as const) {
    test(`holds keys and values bit for bit in the dtype of the cache (${kvDtype})`, async () => {
      const narrow = await load(model.checkpoint.folder, { threads: 1, kvDtype });
      const run = await narrow.prefill(prompt, { preset: twice, scorer: direction });
      await run.extend([7]);
      const file = join(folder, `${kvDtype}.safetensors`);
      await run.save(file);
      const loaded = await loadRun(file);
      assert.deepEqual(loaded.kv.summary(), run.kv.summary());
      const [saved, held] = [await loaded.kv.toHost(), await run.kv.toHost()];
      for (let l = 0; l < 3; l++) {
        for (const part of ["key", "value"] as const) {
          for (const head of [0, 1]) assert.deepEqual(saved.layer(l).stored(part, head), held.layer(l).stored(part, head));
        }
      }
      assert.ok((await verifyRun(loaded, { against: await run.unpruned() })).ok);
      await narrow.release();
    });
  }

  test("a file that is none is refused by name", async () => {
    const other = join(folder, "other.safetensors");
    await writeSafetensors(other, [{ name: "x", dtype: "F32", shape: [1], data: new Float32Array(1) }]);
    await assert.rejects(loadRun(other), /saved run: .*other\.safetensors \(has format none in its metadata, must be sdtp-run\)/);
    const file = join(folder, "broken.safetensors");
    await (await prefill()).save(file);
    const text = readFileSync(file).toString("latin1");
    writeFileSync(file, text.replace('"kv_policy":"retain"', '"kv_policy":"revive"'), "latin1");
    await assert.rejects(loadRun(file), /saved run: .*broken\.safetensors \(metadata kv_policy: /);
    writeFileSync(file, text.replace('"layer.1.key":', '"layer.1.kez":'), "latin1");
    await assert.rejects(loadRun(file), /tensor layer\.1\.key is missing/);
    for (const [from, to, message] of [
      ['"position":"48"', '"position":"40"', /tensor layer\.0\.positions has position 40 at 40, must be ascending and below 40/],
      ['\\"keep\\":38', '\\"keep\\":37', /tensor stage\.0\.kept has shape \[38\], must be \[37\]/],
      ['"kv_dtype":"fp32"', '"kv_dtype":"fp16"', /tensor layer\.0\.key is F32, must be F16/],
      ['"head_dim":"8"', '"head_dim":"4"', /tensor layer\.0\.key has shape \[2, 48, 8\], must be \[2, 48, 4\]/],
      ['"tokens":"[', '"tokens":"{', /metadata tokens: is not JSON/],
    ] as const) {
      assert.ok(text.includes(from), from);
      writeFileSync(file, text.replace(from, to), "latin1");
      await assert.rejects(loadRun(file), message);
    }
    writeFileSync(file, text.slice(0, -4), "latin1");
    await assert.rejects(loadRun(file), /ends at byte \d+ of a file of \d+ bytes \(truncated/);
  });
});
