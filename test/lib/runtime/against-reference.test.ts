// The engine against the plain float64 forward pass, for every family.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { defineScorer } from "../../../lib/methods/scorer.js";
import { load, type Model } from "../../../lib/runtime/model.js";
import type { UserMethod } from "../../../lib/methods/method.js";
import { schedule } from "../../../lib/methods/plan/stages.js";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import { tinyCheckpoint, type TinyCheckpoint } from "../../reference/checkpoints.js";
import { decode, evict, forward, type LayerCache } from "../../reference/forward.js";
import { headDimOf } from "../../reference/config.js";
import { variants, type Variant } from "../../reference/variants.js";
import { relativeError } from "../relative-error.js";

const prompt = (n: number, vocabulary: number) => Array.from({ length: n }, (_, i) => (i * 37 + 11 * (i % 7)) % vocabulary);

/** A preset that prunes a 48-token prompt twice in three blocks. */
const twice: UserMethod = { name: "twice", baseDepth: 3, stages: [{ afterBlock: 0, ratio: 0.8 }, { afterBlock: 1, ratio: 0.75 }] };

/** A score that the reference can compute as well: a fixed direction in the hidden states. */
const direction = defineScorer("direction", (g, { hidden, config }) => {
  const weights = Float32Array.from({ length: config.hiddenSize }, (_, i) => Math.cos(i + 1));
  return g.reshape(g.linear(hidden, g.constant("float32", weights, [1, config.hiddenSize])), [hidden.shape[1]!]);
});
const referenceScore = (hidden: Float64Array[]) => hidden.map((x) => x.reduce((sum, value, i) => sum + value * Math.cos(i + 1), 0));

for (const variant of Object.keys(variants) as Variant[]) {
  for (const attention of ["fused", "plain"] as const) {
    describe(`${variant}, ${attention} attention`, async () => {
      const tiny: TinyCheckpoint = tinyCheckpoint(variant, { dtype: /^(qwen2|bloom-six|phi3)/.test(variant) ? "BF16" : /tied|gpt2-p/.test(variant) ? "F16" : "F32", shards: variant === "qwen3" ? 2 : 1 });
      const model: Model = await load(tiny.folder, { attention, threads: 1 });
      after(async () => {
        await model.release();
        tiny.remove();
      });
      const ids = prompt(48, tiny.config.vocab_size);
      const { kvHeads, headDim, layers } = model.config;

      test("prefill gives the reference's logits, keys and values", async () => {
        const run = await model.prefill(ids);
        const expected = forward(tiny.config, tiny.weights, ids);
        assert.ok(relativeError(run.logits, expected.logits) < 1e-4);
        for (let layer = 0; layer < layers; layer++) checkCache(run.kv.layers[layer]!, expected.caches[layer]!);
      });

      test("prefill and decode equal a full forward pass", async () => {
        const run = await model.prefill(ids.slice(0, 30), { reserve: 2 });
        const stepwise: Float32Array[] = [run.logits];
        for (const id of ids.slice(30, 40)) stepwise.push(await run.extend([id]));
        const at = await run.extend(ids.slice(40));
        const expected = forward(tiny.config, tiny.weights, ids, { allLogits: true }).allLogits!;
        stepwise.forEach((logits, i) => assert.ok(relativeError(logits, expected[29 + i]!) < 1e-4, `step ${i}`));
        const size = model.config.vocabSize;
        for (let i = 0; i < 8; i++) assert.ok(relativeError(at.subarray(i * size, (i + 1) * size), expected[40 + i]!) < 1e-4, `extension ${i}`);
        assert.deepEqual(run.kv.lengths, new Array(layers).fill(48));
      });

      for (const kvPolicy of ["retain", "evict"] as const) {
        test(`pruned prefill (${kvPolicy}) keeps the same tokens and gives the same logits, before and after decoding`, async () => {
          const stages = schedule(resolveMethod(twice), ids.length, layers);
          const expected = forward(tiny.config, tiny.weights, ids, { prune: { stages, score: referenceScore } });
          const run = await model.prefill(ids, { preset: twice, scorer: direction, kvPolicy, scores: true });
          run.stages.forEach((stage, s) => {
            assert.ok(margin(expected.scores[s]!, stage) > 1e-4, "the reference's scores leave no doubt at the cut");
            assert.deepEqual([...stage.kept], expected.kept[s]);
            assert.ok(relativeError(stage.scores!, expected.scores[s]!) < 1e-4);
          });
          assert.ok(relativeError(run.logits, expected.logits) < 1e-4);

          const final = expected.kept.at(-1)!;
          const caches = kvPolicy === "evict" ? expected.caches.map((cache) => evict(cache, final, headDim)) : expected.caches;
          caches.forEach((cache, layer) => checkCache(run.kv.layers[layer]!, cache));
          const next = [5, 9, 2];
          const logits = await run.extend(next);
          const after = decode(tiny.config, tiny.weights, next, [48, 49, 50], caches);
          assert.ok(relativeError(logits.subarray(2 * model.config.vocabSize), after.logits) < 1e-4);
        });
      }

      function checkCache(actual: Model extends never ? never : Awaited<ReturnType<Model["prefill"]>>["kv"]["layers"][number], expected: LayerCache): void {
        assert.deepEqual([...actual.positions], expected.positions);
        const n = expected.positions.length;
        assert.equal(headDim, headDimOf(tiny.config));
        for (let head = 0; head < kvHeads; head++) {
          const part = (x: Float64Array) => x.subarray(head * n * headDim, (head + 1) * n * headDim);
          assert.ok(relativeError(actual.key(head), part(expected.keys)) < 1e-4);
          assert.ok(relativeError(actual.value(head), part(expected.values)) < 1e-4);
        }
      }
    });
  }
}

/** How far the last token kept by its score lies above the first one dropped, as a share of the range of scores. */
function margin(scores: readonly number[], { keep, head, tail }: { keep: number; head: number; tail: number }): number {
  const free = scores.slice(head, scores.length - tail).sort((a, b) => b - a);
  const cut = keep - head - tail;
  return (free[cut - 1]! - free[cut]!) / (Math.max(...scores) - Math.min(...scores));
}
