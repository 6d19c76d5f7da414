// Methods that drop tokens from hidden states, against a float64 pass: PyramidInfer, DASH, blocks.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { UserMethod } from "../../../lib/methods/method.js";
import { methods } from "../../../lib/methods/all.js";
import { planTokens } from "../../../lib/methods/plan/plan.js";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import { verifyRun } from "../../../lib/inspect/verify.js";
import { forward } from "../../reference/forward.js";
import { dot, linear } from "../../reference/operations.js";
import { relativeError } from "../inspect/setup.js";
import { average, best, mean } from "./float64.js";
import { model, n, pass, prompt, TIGHT, tiny } from "./plain-pass.js";

suite("tokens dropped from hidden states", () => {
  /** One stage after block 1, which saw all tokens: its scores, and what follows from its choice. */
  async function holds(method: UserMethod, expected: readonly number[]) {
    const run = await model.prefill(prompt, { preset: method, scores: true });
    const [stage] = run.stages;
    const inside = [...expected.keys()].slice(stage!.head, n - stage!.tail);
    assert.ok(relativeError(inside.map((i) => stage!.scores![i]!), inside.map((i) => expected[i]!)) < 1e-4, "scores");
    const kept = best(expected, stage!.keep, stage!.head, stage!.tail);
    assert.deepEqual([...stage!.kept], kept);
    const pruned = forward(tiny.config, tiny.weights, prompt, { prune: { stages: run.plan.stages, score: () => expected } });
    assert.deepEqual(pruned.positions, kept);
    assert.ok(relativeError(run.logits, pruned.logits) < 2 * TIGHT, "logits");
    assert.deepEqual(run.kv.lengths, pruned.caches.map(({ positions }) => positions.length));
    assert.ok((await verifyRun(run)).ok);
    return run;
  }

  test("PyramidInfer: what the latest fifth pays, the later ones counting more; the share is of the tokens before it", async () => {
    const method = { ...methods["pyramidinfer"]!, name: "small", baseDepth: 3, stages: [{ afterBlock: 1, ratio: 0.6 }], forced: { ...methods["pyramidinfer"]!.forced!, fewest: 10 } };
    // 9 and one more at the end; of the 38 before, 22 stay.
    const weights = Array.from({ length: 10 }, (_, i) => 1 + (0.2 * i) / 9);
    const paid = mean(Array.from({ length: pass.heads }, (_, head) => mean(pass.paid(1, head, 10).map((row, i) => row.map((share) => share * weights[i]!)))));
    const run = await holds(method, paid);
    assert.deepEqual(run.plan.stages, [{ afterLayer: 1, present: 48, keep: 32, head: 4, tail: 10 }]);
  });

  test("PyramidInfer's counts: a cosine from all to 90 %, the tail of the prompt's length throughout, nothing where few are left", () => {
    const plan = planTokens(resolveMethod("pyramidinfer"), 1000, 32);
    let context = 1000 - 201;
    const tokens = [1000, 1000];
    for (let layer = 1; layer <= 30; layer++) {
      const ratio = ((1 - 0.9) * (Math.cos((Math.PI * layer) / 32) + 1)) / 2 + 0.9;
      const kept = Math.floor(context * ratio);
      if (kept > 64) context = kept;
      tokens.push(context + 201);
    }
    assert.deepEqual(plan.tokens, tokens);
    assert.deepEqual(plan.kvLengths, tokens);
    assert.ok(plan.stages.every(({ tail, head }) => tail === 201 && head === 4));
    assert.deepEqual(new Set(planTokens(resolveMethod("pyramidinfer"), 70, 32).tokens), new Set([70]));
    // In a shallower model several of its stages stand together, and as many tokens are left.
    assert.equal(planTokens(resolveMethod("pyramidinfer"), 1000, 8).stages.at(-1)!.keep, plan.stages.at(-1)!.keep);
  });

  test("DASH: the norm of what attention adds", async () => {
    const { config, weights } = tiny;
    const outputs = prompt.map((_, t) => Float64Array.from(Array.from({ length: pass.heads }, (_, head) => {
      const row = pass.paid(1, head, n)[t]!;
      const values = pass.vectors(1, "values", Math.floor((head * pass.groups) / pass.heads));
      return Array.from({ length: pass.headDim }, (_, i) => row.reduce((sum, share, j) => sum + (share > 0 ? share * values[j]![i]! : 0), 0));
    }).flat()));
    const added = linear(outputs, weights.get("model.layers.1.self_attn.o_proj.weight")!);
    assert.equal(added[0]!.length, config.hidden_size);
    await holds({ ...methods["dash"]!, name: "small", baseDepth: 3, stages: [{ afterBlock: 1, ratio: 0.5 }], forced: { head: 2, tail: 5, tailShare: 0 } }, added.map((x) => Math.sqrt(dot(x, x))));
  });

  test("blocks: tokens stay or fall with the mean over their block, the last one shorter", async () => {
    const looked = mean(Array.from({ length: pass.heads }, (_, head) => mean(pass.paid(1, head, 6)))).map((share, i) => (i < n - 6 ? share * 6 * pass.heads : 0));
    const blocks = looked.map((_, i) => average(looked.slice(i - (i % 10), Math.min(n, i - (i % 10) + 10))));
    const run = await holds({ ...methods["block-pruning"]!, name: "small", baseDepth: 3, stages: [{ afterBlock: 1, tokens: 28 }], scorer: "blocks:10:window:6:1", forced: { head: 10, tail: 8, tailShare: 0 } }, blocks);
    // The first and the last block, and one between: whole.
    const between = [...run.kept].filter((at) => at >= 10 && at < 40);
    assert.equal(between.length, 10);
    assert.equal(new Set(between.map((at) => Math.floor(at / 10))).size, 1);
  });

  test("by name, with other amounts, beside budgets; work is in the plan", async () => {
    for (const name of ["pyramidinfer", "dash", "dash:0.3", "block-pruning", "dash+snapkv:0.25", "pyramidinfer+cake:0.3"]) {
      const long = Array.from({ length: 400 }, (_, i) => (i * 31 + 7 * (i % 5)) % 250);
      const run = await model.prefill(long, { preset: name, scores: true });
      const check = await verifyRun(run);
      assert.ok(check.ok, name);
      assert.equal(run.kv.bytes, model.plan(400, { preset: name }).kvBytes);
    }
    const flops = (preset: string | UserMethod) => model.plan(400, { preset }).flops;
    // Scoring is counted: the latest fifth's products with all, in as many stages as there are.
    const { scorer: _, ...unscored } = methods["pyramidinfer"]!;
    const bare = flops({ ...unscored, name: "bare" });
    assert.ok(flops("pyramidinfer").exact > 0 && flops("pyramidinfer").paper === bare.paper);
    assert.ok(flops("dash").exact < flops("baseline").exact);
    assert.equal(flops("h2o").exact - flops("baseline").exact, 3 * 2 * pass.heads * pass.headDim * 400 * 400);
  });

  test("what is wrong is named", async () => {
    const forced = (given: object) => () => resolveMethod({ ...methods["dash"]!, name: "x", forced: { head: 0, tail: 0, tailShare: 0, ...given } });
    assert.throws(forced({ tailOf: "all" }), /forced\.tailOf: all \(must be present or prompt\)/);
    assert.throws(forced({ apart: 1 }), /forced\.apart: 1/);
    assert.throws(forced({ fewest: -1 }), /forced\.fewest: -1/);
    assert.throws(forced({ tails: 1 }), /forced: tails \(there are head/);
    assert.throws(() => resolveMethod("pyramidinfer:0.5"), /preset: pyramidinfer:0\.5 \(pyramidinfer has 30 stages with amounts of their own/);
    for (const scorer of ["recent:0", "blocks:64", "blocks:0:norm", "blocks:8:best", "update:1"]) await assert.rejects(model.prefill(prompt, { preset: "keep07", scorer }), /scorer: /, scorer);
  });
});
