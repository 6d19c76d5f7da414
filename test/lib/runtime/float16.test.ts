// Products of 16-bit numbers, as a GPU that has them is asked for: here the same graphs on the CPU, which widens them one by one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { computeDtype } from "../../../lib/runtime/compute-dtype.js";
import { hostHome, type Home } from "../../../lib/runtime/home.js";
import { load, Model } from "../../../lib/runtime/model.js";
import { relativeError } from "../relative-error.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";

for (const [stored, dtype] of [["F32", undefined], ["BF16", undefined], ["F16", undefined], ["F32", "int8"], ["F32", "int4:nearest"]] as const) {
  test(`${stored} weights${dtype ? ` as ${dtype}` : ""}: logits of prefill and decode are those of float32 to rounding`, async (t) => {
    const tiny = tinyCheckpoint("llama", { dtype: stored });
    t.after(tiny.remove);
    const checkpoint = await openCheckpoint(tiny.folder, { ...(dtype && { dtype }), cacheFolder: `${tiny.folder}/cache` });
    const exact = new Model(checkpoint, { threads: 1, accuracy: "float32" });
    const half = new Model(checkpoint, { threads: 1 }, { ...hostHome(), accuracy: "float16" });
    t.after(() => Promise.all([exact.release(), half.release()]));
    assert.equal(half.computeDtype, "fp32 with fp16 products");
    const ids = Array.from({ length: 40 }, (_, i) => (i * 37) % 250);
    const [here, there] = [await exact.prefill(ids), await half.prefill(ids)];
    for (const [a, b] of [[here.logits, there.logits], [await here.extend([5]), await there.extend([5])]] as const) {
      const error = relativeError(b, a);
      assert.ok(error < 1e-2, `${error}`);
      // ONNX Runtime leaves out the rounding of activations here; that of weights and scales is in the constants.
      if (stored === "F32") assert.ok(error > 1e-6, "nothing was rounded");
    }
  });
}

test("fused attention in 16-bit numbers, as CUDA has it, is that of float32 to rounding: tokens kept, logits, caches", async (t) => {
  const tiny = tinyCheckpoint("llama", { dtype: "F16" });
  t.after(tiny.remove);
  const checkpoint = await openCheckpoint(tiny.folder);
  const exact = new Model(checkpoint, { threads: 1, accuracy: "float32" });
  const half = new Model(checkpoint, { threads: 1 }, { ...hostHome(), accuracy: "float16", halfAttention: true });
  t.after(() => Promise.all([exact.release(), half.release()]));
  const ids = Array.from({ length: 40 }, (_, i) => (i * 37) % 250);
  for (const preset of ["baseline", "keep07"]) {
    const [here, there] = [await exact.prefill(ids, { preset, scorer: "recency" }), await half.prefill(ids, { preset, scorer: "recency" })];
    assert.deepEqual(there.kept, here.kept);
    for (const [a, b] of [[here.logits, there.logits], [await here.extend([5]), await there.extend([5])]] as const) assert.ok(relativeError(b, a) < 1e-2, `${preset}: ${relativeError(b, a)}`);
    const [kept, rounded] = [(await here.kv.toHost()).layer(1).key(0), (await there.kv.toHost()).layer(1).key(0)];
    const error = relativeError(rounded, kept);
    assert.ok(error > 1e-5 && error < 1e-2, `${preset}: keys by ${error}`);
  }
});

test("the products' numbers have a name", () => {
  assert.equal(computeDtype("fp16", "float16"), "fp32 with fp16 products");
});

test("a graph that overflows fails its run, in prefill and in decode", async (t) => {
  const tiny = tinyCheckpoint("llama");
  t.after(tiny.remove);
  for (const part of ["prefill", "decode"]) {
    const home: Home = {
      ...hostHome(), accuracy: "float16",
      load: async (g, settings) => {
        const session = await hostHome().load(g, settings);
        return g.name.startsWith(part) ? { inputNames: session.inputNames, outputNames: session.outputNames, release: () => session.release(), run: async (feeds, wanted) => {
          const results = await session.run(feeds, wanted);
          (results["logits"]!.data as Float32Array)[0] = Infinity;
          return results;
        } } : session;
      },
    };
    const model = new Model(await openCheckpoint(tiny.folder), { threads: 1 }, home);
    await assert.rejects(model.prefill([1, 2, 3]).then((run) => run.extend([4])), /logits: Infinity for token id 0, .*accuracy: float16: this model's activations go beyond/);
    await model.release();
  }
});

test("the CPU is not asked for it", async () => {
  await assert.rejects(load("tiny", { accuracy: "float16" }), /accuracy: float16 \(is for GPUs; the CPU has int8 and float32\)/);
});
