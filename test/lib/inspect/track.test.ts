// Decode tracking and the attention that generated tokens pay, against the float64 forward pass.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { attentionPaid, trackRun } from "../../../lib/inspect/index.js";
import { divergence } from "../../../lib/inspect/track.js";
import { decode, type LayerCache } from "../../reference/forward.js";
import { attentionWeights, prompt, relativeError, setup } from "./setup.js";

const best = (logits: ArrayLike<number>) => Array.from(logits).indexOf(Math.max(...Array.from(logits)));

for (const variant of ["llama-llama3", "mistral"] as const) {
  describe(`decode tracking, ${variant}`, async () => {
    const { model, tiny, plain, pruned, prefill, caches, close } = await setup(variant);
    after(close);
    const { config, weights } = tiny;

    /** Attention of one new token in every layer, mean over heads, and the caches and logits after it. */
    function step(before: readonly LayerCache[], id: number, position: number) {
      const result = decode(config, weights, [id], [position], before);
      const d = config.hidden_size;
      const embedding = Float64Array.from({ length: d }, (_, i) => weights.get("model.embed_tokens.weight")![id * d + i]!);
      const attention = result.caches.map((cache, l) => {
        const input = l === 0 ? embedding : result.hidden[l - 1]![0]!;
        const byHead = attentionWeights(config, weights, l, [input], [position], cache);
        return cache.positions.map((_, j) => byHead.reduce((sum, [row]) => sum + row![j]!, 0) / byHead.length);
      });
      return { result, attention };
    }

    for (const kvPolicy of ["retain", "evict"] as const) {
      test(`observing gives extend's logits, and the reference's attention, over several steps (${kvPolicy})`, async () => {
        const run = await prefill(kvPolicy);
        const twin = run.fork();
        let before = caches(kvPolicy);
        for (const [i, id] of [5, 9, 2].entries()) {
          const observed = await run.observe([id]);
          assert.ok(relativeError(observed.logits, await twin.extend([id])) < 1e-5);
          const { result, attention } = step(before, id, 48 + i);
          before = result.caches;
          observed.attention.forEach((paid, l) => assert.ok(relativeError(paid, attention[l]!) < 1e-4));
        }
        assert.deepEqual(run.kv.lengths, twin.kv.lengths);
      });
    }

    test("several tokens observed at once look at each other", async () => {
      const [run, twin] = [await prefill(), await prefill()];
      const together = await run.observe([5, 9, 2]);
      for (let i = 0; i < 3; i++) {
        const { attention } = await twin.observe([[5, 9, 2][i]!]);
        attention.forEach((paid, l) => {
          const row = paid.length + 2 - i;
          const part = together.attention[l]!.subarray(i * row, (i + 1) * row);
          assert.ok(relativeError(part.subarray(0, paid.length), paid) < 1e-4);
          assert.ok(part.subarray(paid.length).every((share) => share === 0));
        });
      }
    });

    test("agreement, divergence and lengths are the reference's", async () => {
      const tracking = await trackRun(await prefill(), { tokens: 5 });
      let reference = { logits: plain.logits, caches: plain.caches };
      let own = { logits: pruned.logits, caches: pruned.caches };
      const generated: number[] = [];
      for (const { step: s, id, own: choice, kl, lengths, agrees } of tracking.steps) {
        assert.equal(id, best(reference.logits));
        assert.equal(choice, best(own.logits));
        assert.equal(agrees, id === choice);
        assert.ok(Math.abs(kl - divergence(reference.logits, own.logits)) < 1e-4 * Math.max(1, kl));
        assert.deepEqual(lengths, [49 + s, 39 + s, 29 + s]);
        generated.push(id);
        reference = decode(config, weights, [id], [48 + s], reference.caches);
        own = decode(config, weights, [id], [48 + s], own.caches);
      }
      assert.deepEqual(tracking.referenceIds, generated);
      const first = tracking.steps.findIndex(({ agrees }) => !agrees);
      assert.equal(tracking.firstDivergence, first < 0 ? null : first);
      const free = await prefill();
      const freeIds: number[] = [];
      for (let s = 0; s < tracking.ownIds.length; s++) {
        freeIds.push(best(free.logits));
        await free.extend([freeIds.at(-1)!]);
      }
      assert.deepEqual(tracking.ownIds, freeIds);
    });

    test("attention adds up to 1, sinks and the rest told apart", async () => {
      const run = await prefill();
      const { groups, byLayer, byStep, steps } = await attentionPaid(run, { tokens: 4 });
      assert.equal(steps, 4);
      for (const { sinks, prompt: rest, generated, layer } of groups) {
        assert.ok(Math.abs(sinks + rest + generated - 1) < 1e-5);
        const sum = (from: number, to: number) => byLayer[layer]!.subarray(from, to).reduce((a, b) => a + b, 0);
        assert.ok(Math.abs(sum(0, 4) - sinks) < 1e-5 && Math.abs(sum(4, 48) - rest) < 1e-5);
      }
      prompt.forEach((_, i) => {
        const held = pruned.caches[2]!.positions.includes(i);
        if (!held) assert.equal(byLayer[2]![i], 0);
      });
      assert.ok(Math.abs(byStep.reduce((sum, row) => sum + row.reduce((a, b) => a + b, 0), 0) / 4 - groups.reduce((sum, g) => sum + g.sinks + g.prompt, 0) / 3) < 1e-5);
      assert.equal(run.position, 48, "the run itself did not generate");
    });

    test("a run tracked against itself never diverges; one that has generated is refused", async () => {
      const run = await prefill();
      const tracking = await trackRun(run, { tokens: 3, against: run });
      assert.equal(tracking.firstDivergence, null);
      assert.ok(tracking.meanKl < 1e-9);
      await run.extend([1]);
      await assert.rejects(trackRun(run), /run: 1 tokens generated already/);
      await assert.rejects(trackRun(await prefill(), { tokens: 0 }), /tokens: 0 \(must be a positive integer\)/);
      void model;
    });
  });
}

test("KL divergence of known distributions", () => {
  assert.ok(Math.abs(divergence([Math.log(0.5), Math.log(0.5)], [Math.log(0.25), Math.log(0.75)]) - (0.5 * Math.log(2) + 0.5 * Math.log(2 / 3))) < 1e-12);
  assert.equal(divergence([0, -Infinity], [0, -Infinity]), 0);
});
