// Budgets that hold on while tokens are generated.
import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import { verifyRun } from "../../../lib/inspect/verify.js";
import { load } from "../../../lib/runtime/model.js";
import { forward } from "../../reference/forward.js";
import { relativeError } from "../inspect/setup.js";
import { model, n, plain, prompt, shape, TIGHT, tiny } from "./cut-caches.js";
import { cut, mean } from "./float64.js";

const kinds = {
  "accumulated attention": { cache: { kind: "accumulated attention", recent: 0.5 }, decoding: { kind: "accumulated attention", recent: 0.5 } },
  "last attention": { cache: { kind: "window attention", window: 1, kernel: 1, pool: "mean", heads: "all" }, decoding: { kind: "last attention" } },
  recency: { cache: { kind: "recency", sinks: 4 }, decoding: { kind: "recency", sinks: 4 } },
} as const;
for (const [kind, { cache: scoring, decoding }] of Object.entries(kinds)) {
  test(`a budget while decoding, by ${kind}: cut down again every three tokens, and generation goes on from what is left`, async () => {
    const { groups } = shape();
    const amount = { tokens: 20 };
    const growing = await model.prefill(prompt, { preset: { name: "growing", stages: [], baseDepth: 3, cache: { amount, scoring } }, scores: true });
    const run = await model.prefill(prompt, { preset: { name: "cut", stages: [], baseDepth: 3, cache: { amount, scoring }, decoding: { amount, every: 3, scoring: decoding } }, scores: true });
    const fresh = run.fork();
    const after = plain.caches.map((whole, layer) => cut(whole, growing.selections![layer]!.kept.map((own) => [...own]), shape().h));
    const sums = growing.selections!.map(({ kept, scores }) => kept.map((own, g) => [...own].map((position) => scores![g * n + position]!)));
    const generated = [7, 91, 33];
    let last: readonly (readonly Float32Array[])[] = [];
    for (const id of generated) {
      last = (await growing.observe([id])).byHead;
      sums.forEach((heads, layer) => heads.forEach((row, g) => [...last[layer]![g]!].forEach((paid, slot) => (row[slot] = (row[slot] ?? 0) + paid))));
      await run.extend([id]);
    }
    const whole = forward(tiny.config, tiny.weights, generated, { caches: after, positions: [n, n + 1, n + 2] }).caches;
    const pick = (scores: readonly number[], head: number, tail: number) => {
      const free = [...scores.keys()].slice(head, scores.length - tail).sort((a, b) => scores[b]! - scores[a]! || a - b).slice(0, 20 - head - tail);
      return [...scores.keys()].filter((slot) => slot < head || slot >= scores.length - tail || free.includes(slot));
    };
    const rows = whole.map((_, layer) => Array.from({ length: groups }, (_, g) => {
      if (kind === "recency") return pick(sums[layer]![g]!.map((_, slot) => slot), 4, 0);
      if (kind === "last attention") return pick(mean(last[layer]!), 0, 1);
      return pick(sums[layer]![g]!, 0, 10);
    }));
    assert.deepEqual(run.kv.lengths, [20, 20, 20]);
    rows.forEach((heads, layer) => heads.forEach((own, g) => {
      assert.deepEqual([...run.kv.layer(layer).headPositions(g)], own.map((slot) => growing.kv.layer(layer).headPositions(g)[slot]), `layer ${layer}, head ${g}`);
    }));
    assert.ok((await verifyRun(run)).ok);
    const left = whole.map((layer, l) => cut(layer, rows[l]!, shape().h));
    const next = forward(tiny.config, tiny.weights, [5], { caches: left, positions: [n + 3] });
    assert.ok(relativeError(await run.extend([5]), next.logits) < 2 * TIGHT);
    // A fork from before goes its own way; the budget holds on.
    for (let i = 0; i < 7; i++) await fresh.extend([i + 1]);
    assert.deepEqual(fresh.kv.lengths, [21, 21, 21]);
    assert.deepEqual(run.kv.lengths, [21, 21, 21]);
    assert.ok((await verifyRun(fresh)).ok);
  });
}

test("budgets while decoding: by name, beside stages, and where they cannot be had", async () => {
  assert.deepEqual(resolveMethod("sdtp+h2o-decoding:0.4").decoding, { amount: { ratio: 0.4 }, every: 16, scoring: { kind: "accumulated attention", recent: 0.5 } });
  const run = await model.prefill(prompt, { preset: "keep07+tova-decoding:0.25", scorer: "norm" });
  for (let i = 0; i < 40; i++) await run.extend([i]);
  assert.deepEqual(run.kv.lengths, [20, 20, 20]);
  const worker = await load(tiny.folder, { threads: 1, worker: true });
  (await worker.prefill(prompt)).dispose();
  await assert.rejects(worker.prefill(prompt, { preset: "h2o-decoding" }), /preset h2o-decoding: a budget while decoding \(caches must be in this thread's memory/);
  await worker.release();
  assert.throws(() => resolveMethod({ name: "x", baseDepth: 1, stages: [], decoding: { amount: { ratio: 0.5 }, every: 4, scoring: { kind: "last attention" } } }), /decoding: a budget while decoding \(needs one after the prompt/);
  const bad = (decoding: object) => () => resolveMethod({ name: "x", baseDepth: 1, stages: [], cache: { amount: { ratio: 0.5 }, scoring: { kind: "key norm" } }, decoding: { amount: { ratio: 0.5 }, every: 4, scoring: { kind: "last attention" }, ...decoding } as never });
  assert.throws(bad({ every: 0 }), /decoding\.every: 0 \(must be a positive integer/);
  assert.throws(bad({ scoring: { kind: "best" } }), /decoding\.scoring\.kind: best \(must be accumulated attention, /);
  assert.throws(bad({ amount: { ratio: 3 } }), /decoding, ratio: 3/);
});
