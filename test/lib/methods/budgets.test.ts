// Budgets as numbers, of every named method; what a saved run keeps of them.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { CacheBudget } from "../../../lib/methods/cache/budget.js";
import { methods } from "../../../lib/methods/all.js";
import { sharedBudget } from "../../../lib/methods/plan/cache.js";
import { planTokens } from "../../../lib/methods/plan/plan.js";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import { verifyRun } from "../../../lib/inspect/verify.js";
import { loadRun } from "../../../lib/runtime/load-run.js";
import { load } from "../../../lib/runtime/model.js";
import { model, prompt, tiny } from "./cut-caches.js";

test("a saved run has each head's positions, and verifies; one that started anew and one cut while decoding too", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-cut-"));
  try {
    for (const preset of ["snapkv:0.25", "keep07+knorm:0.3", "gemfilter:20", "streamingllm-decoding:0.5"]) {
      const run = await model.prefill(prompt, { preset, scores: true });
      for (let i = 0; i < 20; i++) await run.extend([i]);
      const file = join(folder, "run.safetensors");
      await run.save(file);
      const loaded = await loadRun(file);
      assert.deepEqual([loaded.preset, loaded.kv.lengths], [run.preset, run.kv.lengths]);
      run.kv.layers.forEach((layer, l) => {
        for (let head = 0; head < layer.kvHeads; head++) {
          assert.deepEqual(loaded.kv.layer(l).headPositions(head), layer.headPositions(head));
          assert.deepEqual(loaded.kv.layer(l).key(head), layer.key(head));
        }
      });
      assert.ok((await verifyRun(loaded)).ok, preset);
      assert.ok((await verifyRun(run)).ok, preset);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("every named method keeps exactly its budget at any share, in a worker and in narrow caches as well, and a fork stays apart", async () => {
  for (const method of Object.values(methods).filter(({ cache }) => cache && !sharedBudget(cache))) {
    for (const share of ["0.25", "0.75", "1"]) {
      const run = await model.prefill(prompt, { preset: `${method.name}:${share}`, scores: true });
      assert.deepEqual(run.kv.lengths, run.plan.kvLengths);
      assert.ok((await verifyRun(run)).ok, method.name);
      const fork = run.fork();
      assert.deepEqual(await fork.extend([5]), await run.extend([5]));
      if (share === "1" && method.stages.length === 0) assert.deepEqual(run.kv.lengths, [49, 49, 49]);
    }
  }
  for (const options of [{ worker: true }, { kvDtype: "int8" as const }]) {
    const other = await load(tiny.folder, { threads: 1, ...options });
    const [run, expected] = [await other.prefill(prompt, { preset: "snapkv:0.25" }), await model.prefill(prompt, { preset: "snapkv:0.25" })];
    assert.deepEqual((await run.toHost()).kv.layers.map((layer) => [layer.headPositions(0), layer.headPositions(1)]), expected.kv.layers.map((layer) => [layer.headPositions(0), layer.headPositions(1)]));
    if (options.worker) assert.deepEqual(await run.extend([5]), await expected.extend([5]));
    await other.release();
  }
});

test("budgets: rounding down, never empty, forced tokens give way to a share and refuse a number", () => {
  const lengths = (text: string, tokens: number) => planTokens(resolveMethod(text), tokens, 3).kvLengths;
  assert.deepEqual(lengths("snapkv:0.25", 999), [249, 249, 249]);
  assert.deepEqual(lengths("knorm:0.1", 5), [1, 1, 1]);
  assert.deepEqual(lengths("snapkv:0.25", 100), [25, 25, 25]);
  assert.deepEqual(lengths("streamingllm:300", 200), [200, 200, 200]);
  assert.throws(() => lengths("snapkv:32", 100), /preset snapkv-32: a budget of 32 tokens in layer 0 \(64 always stay there: 0 first and 64 last ones\)/);
  assert.throws(() => lengths("lagkv:100", 600), /a budget of 100 tokens .*\(216 always stay there: 4 first and 212 last ones\)/);
});

test("what is wrong with a cache budget is named with its value", () => {
  const bad = (cache: object) => () => resolveMethod({ name: "x", stages: [], baseDepth: 1, cache: { amount: { ratio: 0.5 }, scoring: { kind: "key norm" }, ...cache } as CacheBudget });
  assert.throws(bad({ amount: { ratio: 2 } }), /preset x, cache, ratio: 2 \(must be above 0/);
  assert.throws(bad({ scoring: { kind: "best" } }), /cache\.scoring\.kind: best \(must be window attention, /);
  assert.throws(bad({ scoring: { kind: "window attention", window: 0, kernel: 5, pool: "mean", heads: "all" } }), /cache\.scoring\.window: 0/);
  assert.throws(bad({ scoring: { kind: "window attention", window: 8, kernel: 4, pool: "mean", heads: "all" } }), /cache\.scoring\.kernel: 4/);
  assert.throws(bad({ scoring: { kind: "key norm", window: 3 } }), /cache\.scoring: window \(is no setting of key norm\)/);
  assert.throws(bad({ layers: { pyramid: 0.5 } }), /cache\.layers\.pyramid: 0\.5/);
  assert.throws(bad({ heads: { safeguard: 2 } }), /cache\.heads\.safeguard: 2/);
  assert.throws(() => resolveMethod("snapkv:0"), /ratio: 0 \(must be above 0/);
  assert.throws(() => resolveMethod("sdtp:0.5"), /preset: sdtp:0\.5 \(known: /);
  assert.throws(() => resolveMethod({ name: "x", kvPolicy: "evict", baseDepth: 4, stages: [{ afterBlock: 1, ratio: 0.5 }], cache: { amount: { ratio: 0.5 }, scoring: { kind: "key norm" } } }), /kvPolicy: evict \(each layer's cache has a budget/);
});
