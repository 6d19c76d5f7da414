import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { verifyRun } from "../../../lib/inspect/index.js";
import { load } from "../../../lib/runtime/model.js";
import type { LayerCache } from "../../../lib/runtime/layer-cache.js";
import { stageResult } from "../../../lib/runtime/stage-result.js";
import { direction, setup, twice } from "./setup.js";

describe("verification", async () => {
  const { prefill, model, close } = await setup();
  after(close);

  for (const kvPolicy of ["retain", "evict"] as const) {
    test(`a run passes, after generation too (${kvPolicy})`, async () => {
      const run = await prefill(kvPolicy);
      await run.extend([5, 6, 7]);
      const { ok, checks, lengths } = await verifyRun(run);
      assert.ok(ok);
      assert.deepEqual(checks.map(({ name, ok }) => [name, ok]), [["stages", true], ["choice", true], ["lengths", true], ["positions", true], ["bytes", true], ["unpruned", true]]);
      assert.deepEqual(lengths, kvPolicy === "retain" ? [51, 41, 31] : [31, 31, 31]);
      assert.match(checks[0]!.text, /2 stages keep the scheduled counts: 48 → 38 → 28/);
      assert.match(checks.at(-1)!.text, /keys and values of layer 0 equal the unpruned run's at the same positions \(largest difference /);
    });
  }

  for (const kvDtype of ["fp16", "int8"] as const) {
    test(`bytes are those of the elements held (${kvDtype})`, async () => {
      const held = await load(model.checkpoint.folder, { threads: 1, kvDtype });
      const run = await held.prefill((await prefill()).ids, { preset: twice, scorer: direction, scores: true });
      const { checks } = await verifyRun(run);
      const perToken = { fp16: 2 * 2 * 8 * 2, int8: 2 * 2 * (8 + 4) }[kvDtype];
      assert.equal(run.kv.bytes, (48 + 38 + 28) * perToken);
      assert.equal(checks.find(({ name }) => name === "bytes")!.ok, true);
      assert.equal(checks.at(-1)!.ok, true);
      Object.defineProperty(run.kv.layer(1), "bytes", { value: 1 });
      await assert.rejects(verifyRun(run), new RegExp(`verify bytes: layer 1 holds ${38 * perToken} bytes and says 1 \\(must be ${38 * perToken}\\)`));
      await held.release();
    });
  }

  test("the unpruned run itself passes, and is computed once", async () => {
    const run = await prefill();
    assert.equal(await run.unpruned(), await run.fork().unpruned());
    assert.ok((await verifyRun(await run.unpruned())).ok);
    assert.deepEqual((await run.unpruned()).kv.lengths, [48, 48, 48]);
  });

  test("one number changed in the first layer is found and named", async () => {
    const run = await prefill();
    run.kv.layer(0).value(1)[3 * 8 + 2]! += 1;
    await assert.rejects(verifyRun(run), /verify unpruned: layer 0, head 1, position 3: value\[2\] is .* \(the unpruned run has /);
    const { ok, checks } = await verifyRun(run, { throws: false });
    assert.equal(ok, false);
    assert.equal(checks.filter((check) => check.ok === false).length, 1);
    run.kv.layer(0).value(1)[3 * 8 + 2] = NaN;
    await assert.rejects(verifyRun(run), /value\[2\] is NaN/);
  });

  test("a wrong position is found and named", async () => {
    const run = await prefill();
    run.kv.layer(2).positions[5] = 9999;
    await assert.rejects(verifyRun(run), /verify positions: layer 2, slot 5 holds position 9999 \(must be \d+\)/);
  });

  test("a token too many, and a stage that kept too few, are found and named", async () => {
    const run = await prefill();
    const layer = run.kv.layer(1) as LayerCache;
    layer.append({ key: new Float32Array(layer.kvHeads * layer.headDim), value: new Float32Array(layer.kvHeads * layer.headDim) }, 1, [47]);
    await assert.rejects(verifyRun(run), /verify lengths: layer 1 holds 39 tokens \(must be 38\)/);
    const short = await prefill();
    const stage = short.stages[1]!;
    Object.assign(short.stages as unknown[], { 1: stageResult({ ...stage }, stage.presentPositions, stage.kept.slice(1), stage.scores) });
    await assert.rejects(verifyRun(short), /verify stages: stage 1 kept 27 tokens \(must be 28\)/);
  });

  test("a choice against the scores is found", async () => {
    const run = await prefill();
    run.stages[0]!.scores!.fill(1e6, 4, 4 + 28);
    const dropped = run.stages[0]!.presentPositions.indexOf(run.stages[0]!.dropped[0]!);
    run.stages[0]!.scores![dropped] = 2e6;
    await assert.rejects(verifyRun(run), /verify choice: stage 0 dropped a token of score 2000000 and kept one of 1000000/);
    const unread = await model.prefill(run.ids, { preset: "keep07", scorer: "norm" });
    assert.equal((await verifyRun(unread)).checks.find(({ name }) => name === "choice")!.ok, null);
  });
});
