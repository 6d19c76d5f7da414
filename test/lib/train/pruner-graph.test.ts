// The training graph against the float64 pass: soft masks, all three losses, and the gradients of every kind of parameter.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Tensor } from "onnxruntime-node";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { checkpointWeights, weightsFolder } from "../../../lib/decoder/checkpoint-weights.js";
import { moduleTrainingGraph, prunerParameters, prunerTrainingGraph, type LabelKind, type MaskKind, type PrunerLosses } from "../../../lib/decoder/pruner-training.js";
import { GraphBuilder } from "../../../lib/onnx/builder.js";
import { Random } from "../../../lib/random.js";
import { createSession } from "../../../lib/runtime/session.js";
import type { Example } from "../../../lib/train/examples.js";
import { SaliencyMeter } from "../../../lib/train/saliency.js";
import { moduleFeeds, prunerFeeds, type PrunerExample } from "../../../lib/train/pruner-feeds.js";
import { normalNumbers, tinyCheckpoint } from "../../reference/checkpoints.js";
import { centralDifferences, nextTokenLoss } from "../../reference/gradient.js";
import { forward, type ForwardOptions } from "../../reference/forward.js";
import { divergence } from "../../reference/operations.js";
import type { Variant } from "../../reference/variants.js";
import { moduleLogits } from "../methods/scores.js";

const blocks = [0, 1];
const n = 30;
const promptLength = 26;

for (const [variant, losses, masks, labels] of [
  ["llama-tied", { crossEntropy: 1, mse: 0.5, ranking: 2 }, "hidden", "text"],
  ["qwen2", { crossEntropy: 1, mse: 0, ranking: 0 }, "hidden", "model"],
  ["qwen3", { crossEntropy: 0, mse: 1, ranking: 1 }, "attention", "model"],
  ["llama", { crossEntropy: 1, mse: 1, ranking: 0 }, "attention", "text"],
  ["llama-tied", { crossEntropy: 100, mse: 1, ranking: 1 }, "attention", "model"],
] as [Variant, PrunerLosses, MaskKind, LabelKind][]) {
  test(`losses and gradients of the modules: ${variant}, weights ${Object.values(losses)}, masks on ${masks}, labels of the ${labels}`, async (t) => {
    const tiny = tinyCheckpoint(variant);
    t.after(() => tiny.remove());
    const checkpoint = await openCheckpoint(tiny.folder);
    const { config } = checkpoint;
    const inputs = variant === "qwen2" || variant === "llama" ? "hidden" : "placed";
    const normal = normalNumbers(8);
    const targets = new Map(blocks.map((block) => [block, Float32Array.from({ length: n }, () => normal())]));
    const example: PrunerExample = { ids: Array.from({ length: n }, (_, i) => (i * 29 + 3) % 250), promptLength, targets };
    const parameters = new Map(prunerParameters(config, blocks, inputs).map(({ name, shape }) => [name, { shape, values: Float64Array.from({ length: shape.reduce((a, b) => a * b) }, () => Math.fround(0.3 * normal())) }]));

    const g = new GraphBuilder();
    prunerTrainingGraph(g, checkpointWeights(g, checkpoint), { config, blocks, inputs, losses, masks, labels });
    const session = await createSession(g, { threads: 1, folder: weightsFolder(checkpoint) });
    const feeds = prunerFeeds(config, example, { losses, inputs, labels }, new Random(5));
    for (const [name, { shape, values }] of parameters) feeds[name] = new Tensor("float32", Float32Array.from(values), [...shape]);
    const results = await session.run(feeds);
    const scalar = (name: string) => (results[name]!.data as Float32Array)[0]!;

    const data = (name: string) => Array.from(feeds[name]!.data as Float32Array | BigInt64Array, Number);
    const whole = forward(tiny.config, tiny.weights, example.ids, { allLogits: true }).allLogits!;
    const divergenceUnder = (options: ForwardOptions, over: readonly number[]) => {
      const { allLogits } = forward(tiny.config, tiny.weights, example.ids, { ...options, allLogits: true });
      return over.reduce((sum, t) => sum + divergence(whole[t]!, allLogits![t]!), 0) / over.length;
    };
    /** Everything again in float64. */
    const losses64 = () => {
      const logits = new Map<number, number[]>();
      const presence = new Float64Array(n);
      const edit = (hidden: Float64Array[], layer: number) => {
        if (!blocks.includes(layer)) return hidden;
        const part = (name: string) => parameters.get(`${layer}.scorer.${name}`)!.values;
        const scores = moduleLogits(hidden, { weight0: part("0.weight"), bias0: part("0.bias"), weight2: part("2.weight"), bias2: part("2.bias") }, inputs === "hidden" ? null : {
          weights: part("distance"), logs: hidden.map((_, token) => Math.log(1 + Math.max(0, promptLength - 1 - token))), normEps: tiny.config.rms_norm_eps,
        });
        logits.set(layer, scores);
        if (losses.crossEntropy === 0) return hidden;
        const noise = data(`noise.${layer}`);
        // The first four, the last sixteen of the prompt and the response stay whole.
        const may = (token: number) => token >= 4 && token < promptLength - 16;
        const mask = (token: number, odds: number) => (may(token) ? 1 / (1 + Math.exp(-(scores[token]! + odds + noise[token]!))) : 1);
        if (masks === "hidden") return hidden.map((x, token) => x.map((value) => value * mask(token, 0)));
        // Odds of nine to one at the mean: nine tenths stay.
        const free = scores.filter((_, token) => may(token));
        const mean = free.reduce((a, b) => a + b, 0) / free.length;
        presence.forEach((p, token) => { presence[token] = p + Math.log(mask(token, Math.log(9) - mean)); });
        return hidden;
      };
      const over = Array.from({ length: n - promptLength }, (_, i) => promptLength - 1 + i);
      const keyBias = () => presence;
      const crossEntropy = labels === "model" && losses.crossEntropy > 0 ? divergenceUnder({ edit, keyBias }, over) : nextTokenLoss(tiny.config, tiny.weights, example.ids, over, { edit, keyBias });
      const mse = blocks.map((block) => {
        let sum = 0;
        for (let token = 0; token < promptLength; token++) sum += (logits.get(block)![token]! - targets.get(block)![token]!) ** 2;
        return sum / promptLength;
      });
      const ranking = blocks.map((block) => {
        let [sum, count] = [0, 0];
        for (let i = 0; i < promptLength; i++) {
          for (let j = 0; j < i; j++, count++) {
            const margin = (logits.get(block)![i]! - logits.get(block)![j]!) * Math.sign(targets.get(block)![i]! - targets.get(block)![j]!);
            sum += Math.log(1 + Math.exp(-margin));
          }
        }
        return sum / count;
      });
      const total = (values: number[]) => values.reduce((a, b) => a + b, 0);
      return { crossEntropy, mse, ranking, loss: losses.crossEntropy * crossEntropy + losses.mse * total(mse) + losses.ranking * total(ranking) };
    };

    const expected = losses64();
    assert.ok(Math.abs(scalar("loss") - expected.loss) < 1e-4 * expected.loss);
    if (losses.crossEntropy > 0) assert.ok(Math.abs(scalar("cross_entropy") - expected.crossEntropy) < 1e-4 * expected.crossEntropy);
    else assert.ok(!("cross_entropy" in results));
    blocks.forEach((block, b) => {
      if (losses.mse > 0) assert.ok(Math.abs(scalar(`mse.${block}`) - expected.mse[b]!) < 1e-4 * expected.mse[b]!);
      if (losses.ranking > 0) assert.ok(Math.abs(scalar(`ranking.${block}`) - expected.ranking[b]!) < 1e-4 * expected.ranking[b]!);
    });
    for (const [name, { values }] of parameters) {
      const actual = results[`gradient:${name}`]!.data as Float32Array;
      const indices = [...new Set([0, Math.floor(values.length / 2), values.length - 1])];
      const numeric = centralDifferences(() => losses64().loss, values, { indices });
      const scale = Math.max(...actual.map(Math.abs));
      assert.ok(scale > 0, name);
      indices.forEach((index, k) => assert.ok(Math.abs(actual[index]! - numeric[k]!) < 1e-3 * scale + 1e-7, `${name}[${index}]: ${actual[index]} instead of ${numeric[k]}`));
    }
    await session.release();
  });
}

test("on hidden states kept before, losses and gradients are those of the whole model without masks", async (t) => {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const checkpoint = await openCheckpoint(tiny.folder);
  const { config } = checkpoint;
  const normal = normalNumbers(9);
  const example: Example = { ids: Array.from({ length: n }, (_, i) => (i * 31 + 5) % 250), promptLength };
  const meter = await SaliencyMeter.create(checkpoint, { blocks, states: true, threads: 1 });
  const { states } = await meter.measure(example);
  await meter.release();
  const targets = new Map(blocks.map((block) => [block, Float32Array.from({ length: n }, () => normal())]));
  const kept = { ...example, targets, states: new Map(blocks.map((block, b) => [block, states![b]!.slice(0, promptLength * config.hiddenSize)])) };
  const about = { inputs: "placed", losses: { crossEntropy: 0, mse: 1, ranking: 2 } } as const;
  const parameters = Object.fromEntries(prunerParameters(config, blocks, "placed").map(({ name, shape }) => [name, new Tensor("float32", Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 0.3 * normal()), [...shape])]));
  const [whole, alone] = [new GraphBuilder(), new GraphBuilder()];
  prunerTrainingGraph(whole, checkpointWeights(whole, checkpoint), { config, blocks, ...about, masks: "attention", labels: "model" });
  moduleTrainingGraph(alone, { config, blocks, ...about });
  const run = async (g: GraphBuilder, feeds: Record<string, Tensor>) => {
    const session = await createSession(g, { threads: 1, folder: weightsFolder(checkpoint) });
    const results = await session.run({ ...parameters, ...feeds });
    await session.release();
    return results;
  };
  const expected = await run(whole, prunerFeeds(config, kept, { ...about, labels: "model" }, new Random(5)));
  const actual = await run(alone, moduleFeeds(config, kept, about, new Random(5)));
  assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort());
  for (const [name, { data }] of Object.entries(expected)) {
    const [a, b] = [actual[name]!.data as Float32Array, data as Float32Array];
    const scale = Math.max(...b.map(Math.abs));
    assert.ok(a.every((value, i) => Math.abs(value - b[i]!) <= 1e-4 * scale), name);
  }
});

test("no loss at all is refused", async (t) => {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const checkpoint = await openCheckpoint(tiny.folder);
  const g = new GraphBuilder();
  const losses = { crossEntropy: 0, mse: 0, ranking: 0 };
  assert.throws(() => prunerTrainingGraph(g, checkpointWeights(g, checkpoint), { config: checkpoint.config, blocks, inputs: "hidden", losses, masks: "hidden", labels: "text" }), /pruner losses: all are 0/);
});
