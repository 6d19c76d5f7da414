// The worker gives the main thread's numbers, and leaves the main thread free.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, test } from "node:test";
import { kvDrift, verifyRun } from "../../../lib/inspect/index.js";
import { generate } from "../../../lib/runtime/generate.js";
import { load, type LoadOptions } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import type { Variant } from "../../reference/variants.js";

const cleanUp: (() => unknown)[] = [];
after(async () => {
  for (const each of cleanUp) await each();
});

async function pair(variant: Variant, options: LoadOptions = {}) {
  const tiny = tinyCheckpoint(variant);
  const here = await load(tiny.folder, { threads: 1, ...options });
  const there = await load(tiny.folder, { threads: 1, worker: true, ...options });
  cleanUp.push(() => here.release(), () => there.release(), tiny.remove);
  return { here, there, ids: Array.from({ length: 44 }, (_, i) => (i * 7 + 1) % tiny.config.vocab_size) };
}

for (const [variant, kvDtype] of [["llama", "fp32"], ["mistral", "fp32"], ["gemma2", "fp32"], ["bloom", "fp32"], ["llama", "int8"], ["llama", "fp16"]] as const) {
  test(`${variant}, ${kvDtype} caches: logits, kept positions, caches and tokens are bit for bit those of the main thread`, async () => {
    const { here, there, ids } = await pair(variant as Variant, { kvDtype });
    for (const settings of [{ preset: "baseline" }, { preset: "keep07", scorer: "norm", scores: true }, { preset: "sdtp", scorer: "norm" }]) {
      const [a, b] = [await here.prefill(ids, settings), await there.prefill(ids, settings)];
      assert.deepEqual(b.stages, a.stages);
      for (const tokens of [[3], [9], [4, 1, 7]]) assert.deepEqual(await b.extend(tokens), await a.extend(tokens));
      const [x, y] = [a.kv.summary(), b.kv.summary()].map((rows) => rows.map(({ home, ...row }) => row));
      assert.deepEqual(y, x);
      const host = await b.kv.toHost();
      a.kv.layers.forEach((layer, l) => {
        for (let head = 0; head < layer.kvHeads; head++) for (const part of ["key", "value"] as const) assert.deepEqual(host.layer(l)[part](head), layer[part](head));
      });
      assert.deepEqual((await b.observe([2])).attention, (await a.observe([2])).attention);
      b.dispose();
      await assert.rejects(b.extend([1]), /disposed of/);
    }
  });
}

test("forks go their own ways, inspection reads the cache back, a released model can be used again", async () => {
  const { here, there, ids } = await pair("llama");
  const run = await there.prefill(ids, { preset: "keep07", scorer: "norm", scores: true });
  assert.throws(() => run.kv.layer(1).key(0), /layer 1: its keys are in the worker thread \(await run\.toHost\(\)/);
  assert.ok((await verifyRun(run)).ok);
  assert.equal((await kvDrift(run)).length, there.config.layers);
  const fork = run.fork();
  const first = await fork.extend([1, 2]);
  await run.extend([9]);
  await there.release();
  const again = await here.prefill(ids, { preset: "keep07", scorer: "norm" });
  assert.deepEqual(await again.extend([1, 2]), first);
  assert.deepEqual(await fork.extend([5]), await again.extend([5]));
  const greedy = { maxNewTokens: 6, fixedLength: true };
  assert.deepEqual((await generate(there, ids, greedy)).ids, (await generate(here, ids, greedy)).ids);
});

test("captured activations come over; errors in the worker are this thread's", async () => {
  const { here, there, ids } = await pair("llama");
  const capture = ["block.1.hidden", "block.0.attention.weights"];
  const [a, b] = [await here.prefill(ids, { capture }), await there.prefill(ids, { capture })];
  assert.deepEqual(b.activations, a.activations);
  await assert.rejects(load("tiny", { worker: true, device: "webgpu" }), { message: "worker: true (is for device cpu, not webgpu)" });
});

test("the event loop stays free while a prompt runs, which can be abandoned; the next one is right", async () => {
  const model = await load("tiny", { threads: 1, worker: true });
  cleanUp.push(() => model.release());
  const ids = Array.from({ length: 3000 }, (_, i) => (i * 31 + 1) % model.config.vocabSize);
  await model.warm(ids.length);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  const { prefillSeconds } = await model.prefill(ids);
  assert.ok(ticks > (prefillSeconds * 1e3) / 5 / 10, `${ticks} ticks of 5 ms in ${prefillSeconds} s`);

  const controller = new AbortController();
  setTimeout(() => controller.abort(), 30);
  const started = performance.now();
  const abandoned = assert.rejects(model.prefill(ids, { signal: controller.signal }), { name: "AbortError" });
  await abandoned;
  assert.ok(performance.now() - started < 500 * prefillSeconds + 30, "the wait ends before the run does");
  clearInterval(timer);
  const short = ids.slice(0, 40);
  const here = await load("tiny", { threads: 1 });
  cleanUp.push(() => here.release());
  assert.deepEqual((await model.prefill(short)).logits, (await here.prefill(short)).logits);
});

function script(code: string) {
  const model = JSON.stringify(new URL("../../../lib/runtime/model.js", import.meta.url).href);
  return spawnSync(process.execPath, ["--input-type=module", "-e", `const { load } = await import(${model});\n${code}`], { encoding: "utf8", timeout: 120_000 });
}

test("an idle worker does not keep a process alive", () => {
  const { status, stdout, stderr } = script(`const run = await (await load("tiny", { worker: true })).prefill([1, 2, 3]); await run.extend([4]); console.log("done");`);
  assert.equal(status, 0, stderr);
  assert.equal(stdout, "done\n");
});

for (const [what, code] of [["never used", `await load("tiny", { worker: true });`], ["released", `await (await load("tiny", { worker: true })).release();`]] as const) {
  test(`nor does that of a model ${what}`, () => {
    const { status, stdout, stderr } = script(`${code} console.log("done");`);
    assert.equal(status, 0, stderr || "it was still there after two minutes");
    assert.equal(stdout, "done\n");
  });
}

test("an exit in the middle of a run is an exit, no crash", () => {
  const { status, stdout, stderr } = script(`
    const model = await load("tiny", { worker: true, threads: 1 });
    const ids = Array.from({ length: 3000 }, (_, i) => i % 2000);
    await model.warm(ids.length);
    setTimeout(() => process.exit(3), 20);
    await model.prefill(ids);
    console.log("the run was over before the exit");`);
  assert.equal(stdout, "");
  assert.equal(status, 3, stderr);
});
