// Methods that choose the prompt's tokens by attention, alone and with a budget of the cache.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CacheBudget } from "../../../lib/methods/cache/budget.js";
import { methods } from "../../../lib/methods/all.js";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import { verifyRun } from "../../../lib/inspect/verify.js";
import { forward } from "../../reference/forward.js";
import { dot } from "../../reference/operations.js";
import { rotaryFrequencies, rotate } from "../../reference/rotary.js";
import { relativeError } from "../inspect/setup.js";
import { headsOf, looked, model, n, pass, plain, prompt, shape, TIGHT, tiny, vectors } from "./cut-caches.js";
import { average, best, mean } from "./float64.js";

/** Scores of a stage after block 1, where nothing was pruned before. */
const stageScores = async (scorer: string) => {
  const run = await model.prefill(prompt, { preset: { name: "staged", baseDepth: 3, stages: [{ afterBlock: 1, ratio: 0.5 }], forced: { head: 0, tail: 6, tailShare: 0 } }, scorer, scores: true });
  return run.stages[0]!;
};

test("scorer window: a window's attention, pooled, summed over queries and heads; forced tokens as the method says", async () => {
  const { scores, kept } = await stageScores("window:6:5");
  const expected = mean(Array.from({ length: shape().heads }, (_, head) => looked(1, head, 6, 5, average))).map((x) => x * 6 * shape().heads);
  assert.ok(relativeError(scores!, expected.map((x, i) => (i < n - 6 ? x : scores![i]!))) < TIGHT);
  assert.deepEqual([...kept], best(expected, 24, 0, 6));
});

test("scorer last-query: products of the last query and every key before a softmax, mean over heads, pooled", async () => {
  const { h, heads, group } = shape();
  const raws = mean(Array.from({ length: heads }, (_, head) => {
    const query = rotate(pass.rawQueries(1, head)[n - 1]!, n - 1, rotaryFrequencies(tiny.config));
    return vectors(plain.caches[1]!, "keys", Math.floor(head / group)).map((key, j) => (j === n - 1 ? 0 : dot(query, key) / Math.sqrt(h)));
  }));
  const expected = raws.map((_, i) => average([-1, 0, 1].map((k) => raws[i + k] ?? 0)));
  const { scores, kept } = await stageScores("last-query:3");
  assert.ok(relativeError(scores!, expected) < TIGHT);
  assert.deepEqual([...kept], best(expected, 24, 0, 6));
});

test("FastKV: a stage and a budget of the prompt's tokens apart from it, in layers before and after", async () => {
  const fast = { ...methods["fastkv"]!, name: "small", baseDepth: 3, stages: [{ afterBlock: 1, ratio: 0.5 }], scorer: "window:6:5", forced: { head: 0, tail: 6, tailShare: 0 },
    cache: { amount: { ratio: 0.25 }, scoring: { kind: "window attention", window: 6, kernel: 5, pool: "mean", heads: "group sum" } } as CacheBudget };
  const run = await model.prefill(prompt, { preset: fast, scores: true });
  assert.deepEqual([run.plan.tokens, run.kv.lengths], [[48, 48, 24], [12, 12, 12]]);
  for (const layer of [0, 1]) for (let g = 0; g < shape().groups; g++) {
    const scores = mean(headsOf(g).map((head) => looked(layer, head, 6, 5, average)));
    assert.deepEqual([...run.selections![layer]!.kept[g]!], best(scores, 12, 0, 6));
  }
  const passed = new Set(run.stages[0]!.kept);
  for (const positions of run.selections![2]!.kept) assert.ok(positions.every((position) => passed.has(position)) && positions.at(-1) === n - 1);
  assert.ok((await verifyRun(run)).ok);
});

test("GemFilter: the last query's products over all heads choose tokens, with which the prompt starts anew", async () => {
  const { h, heads, group } = shape();
  const run = await model.prefill(prompt, { preset: { ...methods["gemfilter"]!, name: "small", baseDepth: 3, stages: [{ afterBlock: 1, tokens: 20 }] }, scores: true });
  const raws = mean(Array.from({ length: heads }, (_, head) => {
    const query = rotate(pass.rawQueries(1, head)[n - 1]!, n - 1, rotaryFrequencies(tiny.config));
    return vectors(plain.caches[1]!, "keys", Math.floor(head / group)).map((key) => dot(query, key) / Math.sqrt(h));
  }));
  const expected = raws.map((_, i) => average([-2, -1, 0, 1, 2].map((k) => raws[i + k] ?? 0)));
  assert.ok(relativeError(run.stages[0]!.scores!, expected) < TIGHT);
  const kept = best(expected, 20, 0, 0);
  assert.deepEqual([...run.kept], kept);
  // Anew: positions 0 … 19, and what is generated goes on at 20.
  const anew = forward(tiny.config, tiny.weights, kept.map((position) => prompt[position]!));
  assert.ok(relativeError(run.logits, anew.logits) < TIGHT);
  assert.deepEqual([run.kv.lengths, run.plan.tokens, run.position], [[20, 20, 20], [68, 68, 20], n]);
  assert.deepEqual([...run.kv.layer(2).positions], kept);
  const fork = run.fork();
  const next = forward(tiny.config, tiny.weights, [7, 91], { caches: anew.caches, positions: [20, 21], allLogits: true });
  assert.ok(relativeError(await run.extend([7, 91]), next.allLogits!.flatMap((row) => [...row])) < 2 * TIGHT);
  assert.ok((await verifyRun(run)).ok);
  await fork.extend([7]);
  assert.ok(relativeError(await fork.extend([91]), next.allLogits![1]!) < 2 * TIGHT);
  // Work: the first two blocks on all, then everything on those kept.
  const { flops } = model.plan(n, { preset: { ...methods["gemfilter"]!, name: "small", baseDepth: 3, stages: [{ afterBlock: 1, tokens: 20 }] } });
  const whole = model.plan(20).flops;
  assert.ok(flops.exact > whole.exact && flops.exact < model.plan(n).flops.exact + whole.exact);
  await assert.rejects(model.prefill(prompt, { preset: "gemfilter:20", kvPolicy: "retain" }), /KV policy retain \(the prompt starts anew/);
  await assert.rejects(model.prefill(prompt, { preset: "gemfilter:20", capture: ["embedding"] }), /capture \(the prompt goes through the model twice/);
  assert.throws(() => resolveMethod("gemfilter+snapkv"), /restart: true \(needs exactly one stage, no cache budget/);
});

test("two methods together: the stages of one, the budget of the other", async () => {
  const run = await model.prefill(prompt, { preset: "keep07+h2o:0.4", scorer: "norm", scores: true });
  assert.deepEqual([run.preset.name, run.kvPolicy, run.plan.tokens, run.kv.lengths], ["keep07+h2o-0.4", "retain", [48, 33, 33], [19, 19, 19]]);
  assert.ok((await verifyRun(run)).ok);
  assert.throws(() => resolveMethod("sdtp+keep07"), /preset sdtp\+keep07: both have stages/);
  assert.throws(() => resolveMethod("snapkv+h2o"), /both have a cache budget/);
  assert.throws(() => resolveMethod("sdtp+nothing"), /preset: nothing \(known/);
});
