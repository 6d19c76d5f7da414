import assert from "node:assert/strict";
import { test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { gradientTargets, saliencyGraph, saliencyTargets, type GradientTarget, type SaliencyTarget } from "../../../lib/decoder/saliency.js";
import { valueWeights } from "../../../lib/decoder/weights.js";
import { GraphBuilder } from "../../../lib/onnx/builder.js";
import { createSession } from "../../../lib/runtime/session.js";
import { exampleFeeds } from "../../../lib/train/example-feeds.js";
import type { Example } from "../../../lib/train/examples.js";
import { SaliencyMeter } from "../../../lib/train/saliency.js";
import { normaliseSaliency } from "../../../lib/train/saliency-normalise.js";
import { stageBlocks } from "../../../lib/train/stages.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { forward, type ForwardOptions } from "../../reference/forward.js";
import { centralDifferences, hiddenGradient, nextTokenLoss } from "../../reference/gradient.js";
import { dot, softmax } from "../../reference/operations.js";
import type { Variant } from "../../reference/variants.js";

const example: Example = { ids: Array.from({ length: 12 }, (_, i) => (i * 29 + 3) % 250), promptLength: 8 };
const formulas: Record<GradientTarget, (x: Float64Array, gradient: Float64Array) => number> = {
  gradnorm: (_, gradient) => Math.sqrt(dot(gradient, gradient)),
  abs: (x, gradient) => Math.abs(dot(x, gradient)),
  signed: dot,
};

for (const [variant, loss] of [["llama-tied", "response"], ["qwen2", "all"], ["mistral", "response"], ["qwen3", "response"]] as [Variant, "response" | "all"][]) {
  test(`saliency is what central differences say: ${variant}, loss over ${loss}`, async (t) => {
    const tiny = tinyCheckpoint(variant, { dtype: variant === "qwen2" ? "BF16" : "F32" });
    t.after(() => tiny.remove());
    const checkpoint = await openCheckpoint(tiny.folder);
    const over = loss === "response" ? [7, 8, 9, 10] : undefined;
    const { hidden } = forward(tiny.config, tiny.weights, example.ids);
    const gradients = [0, 1].map((layer) => hiddenGradient(tiny.config, tiny.weights, example.ids, layer, over));
    for (const target of gradientTargets) {
      const meter = await SaliencyMeter.create(checkpoint, { blocks: [0, 1], target, loss, objective: "cross-entropy", threads: 1 });
      const result = await meter.measure(example);
      await meter.release();
      assert.ok(Math.abs(result.loss - nextTokenLoss(tiny.config, tiny.weights, example.ids, over)) < 1e-4);
      result.values.forEach((values, layer) => {
        const expected = gradients[layer]!.map((gradient, token) => formulas[target](hidden[layer]![token]!, gradient));
        const scale = Math.max(...expected.map(Math.abs));
        assert.equal(values.length, example.ids.length);
        expected.forEach((value, token) => assert.ok(Math.abs(values[token]! - value) < 1e-3 * scale, `${target}, block ${layer}, token ${token}: ${values[token]} instead of ${value}`));
        assert.equal(values.at(-1), 0, "the last token predicts nothing");
      });
    }
  });
}

for (const variant of ["gpt2", "bloom", "phi3", "gemma2"] satisfies Variant[]) {
  test(`saliency of ${variant}: each token's is how the loss changes as the token grows`, async (t) => {
    const tiny = tinyCheckpoint(variant);
    t.after(() => tiny.remove());
    const meter = await SaliencyMeter.create(await openCheckpoint(tiny.folder), { blocks: [0, 1], target: "signed", loss: "all", objective: "cross-entropy", threads: 1 });
    const { values } = await meter.measure(example);
    await meter.release();
    values.forEach((of, layer) => {
      const growth = new Float64Array(example.ids.length);
      const edit: ForwardOptions["edit"] = (hidden, at) => (at === layer ? hidden.map((x, token) => x.map((value) => value * (1 + growth[token]!))) : hidden);
      const expected = centralDifferences(() => nextTokenLoss(tiny.config, tiny.weights, example.ids, undefined, { edit }), growth);
      const scale = Math.max(...expected.map(Math.abs));
      expected.forEach((value, token) => assert.ok(Math.abs(of[token]! - value) < 1e-3 * scale, `block ${layer}, token ${token}: ${of[token]} instead of ${value}`));
    });
  });
}

test("what must not matter does not: a token's own direction after the last block, and tokens that no loss sees", async (t) => {
  const tiny = tinyCheckpoint("llama", { config: { rms_norm_eps: 1e-12 } });
  t.after(() => tiny.remove());
  const checkpoint = await openCheckpoint(tiny.folder);
  const measure = async (blocks: number[], target: SaliencyTarget, { ids, promptLength }: Example) => {
    const meter = await SaliencyMeter.create(checkpoint, { blocks, target, objective: "cross-entropy", threads: 1 });
    const { values } = await meter.measure({ ids, promptLength });
    await meter.release();
    return values;
  };
  const [last] = await measure([2], "abs", example);
  const [norms] = await measure([2], "gradnorm", example);
  assert.ok(Math.max(...norms!) > 1e-3);
  assert.ok(Math.max(...last!) < 1e-4 * Math.max(...norms!), "the final norm is blind to a token's length");
  // With one response token only the last prompt token's row counts: after the last block no other token matters.
  const [single] = await measure([2], "gradnorm", { ids: example.ids.slice(0, 9), promptLength: 8 });
  assert.ok(single![7]! > 0);
  single!.forEach((value, token) => { if (token !== 7) assert.equal(value, 0, `token ${token}`); });
});

test("log-odds: saliency is what central differences say, and does not fade where the model is sure", async (t) => {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const checkpoint = await openCheckpoint(tiny.folder);
  const over = [7, 8, 9, 10];
  const odds = (edit?: ForwardOptions["edit"]) => {
    const { allLogits } = forward(tiny.config, tiny.weights, example.ids, { allLogits: true, ...(edit && { edit }) });
    return over.reduce((sum, row) => {
      const p = softmax([...allLogits![row]!])[example.ids[row + 1]!]!;
      return sum + Math.log((1 - p) / p) / over.length;
    }, 0);
  };
  const change = new Float64Array(32);
  const expected = example.ids.map((_, token) => {
    const edit: ForwardOptions["edit"] = (hidden, layer) => (layer === 1 ? hidden.map((x, at) => (at === token ? x.map((value, i) => value + change[i]!) : x)) : hidden);
    const gradient = centralDifferences(() => odds(edit), change);
    return Math.sqrt(dot(gradient, gradient));
  });
  const meter = await SaliencyMeter.create(checkpoint, { blocks: [1], threads: 1 });
  const { values, loss } = await meter.measure(example);
  await meter.release();
  assert.ok(Math.abs(loss - odds()) < 1e-4 * Math.abs(odds()));
  const scale = Math.max(...expected);
  expected.forEach((value, token) => assert.ok(Math.abs(values[0]![token]! - value) < 1e-3 * scale, `token ${token}: ${values[0]![token]} instead of ${value}`));

  // A head two thousand times as large makes the likeliest token all but certain.
  const sure = tinyCheckpoint("llama");
  t.after(() => sure.remove());
  const { logits } = forward(sure.config, sure.weights, example.ids.slice(0, 8));
  const likeliest: Example = { ids: [...example.ids.slice(0, 8), logits.indexOf(Math.max(...logits))], promptLength: 8 };
  const norms: number[] = [];
  for (const objective of ["cross-entropy", "log-odds"] as const) {
    for (const gain of [1, 2000]) {
      const weights = new Map(sure.weights);
      weights.set("model.norm.weight", sure.weights.get("model.norm.weight")!.map((value) => gain * value));
      const g = new GraphBuilder();
      const value = (name: string) => weights.get(name) && g.constant("float32", weights.get(name)!, sure.shapes.get(name)!);
      saliencyGraph(g, valueWeights(g, (name) => value(name) ?? null), { config: checkpoint.config, blocks: [1], target: "gradnorm", objective });
      const session = await createSession(g, { threads: 1 });
      const results = await session.run(exampleFeeds(checkpoint.config, likeliest, "response"));
      norms.push(Math.max(...(results["saliency.1"]!.data as Float32Array)));
      await session.release();
    }
  }
  const [crossEntropy, sureCrossEntropy, logOdds, sureLogOdds] = norms as [number, number, number, number];
  assert.ok(sureCrossEntropy < 1e-3 * crossEntropy, `${sureCrossEntropy} of ${crossEntropy}`);
  assert.ok(sureLogOdds > 10 * logOdds, `${sureLogOdds} of ${logOdds}`);
});

test("blocks out of order or out of range are refused", async (t) => {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const checkpoint = await openCheckpoint(tiny.folder);
  await assert.rejects(SaliencyMeter.create(checkpoint, { blocks: [1, 0] }), /saliency block: 0 \(must be integers from 0 to 2, ascending\)/);
  await assert.rejects(SaliencyMeter.create(checkpoint, { blocks: [3] }), /saliency block: 3/);
});

test("normalised saliency: mean 0, deviation 1 over the prompt; order kept; zeros, equal numbers and tails stay finite", () => {
  const values = Float32Array.of(0, 1e-20, 3, 0.002, 50, 1, 7e4);
  for (const target of saliencyTargets) {
    const normal = normaliseSaliency(values, 6, target);
    const prompt = normal.subarray(0, 6);
    const mean = prompt.reduce((a, b) => a + b, 0) / 6;
    assert.ok(Math.abs(mean) < 1e-6, target);
    assert.ok(Math.abs(prompt.reduce((a, b) => a + (b - mean) ** 2, 0) / 6 - 1) < 1e-5, target);
    assert.ok(normal.every(Number.isFinite), target);
    assert.deepEqual([4, 2, 5, 3].map((i) => normal[i]!), [4, 2, 5, 3].map((i) => normal[i]!).sort((a, b) => b - a), target);
    assert.deepEqual(normaliseSaliency(new Float32Array(5), 4, target), new Float32Array(5));
    assert.deepEqual(normaliseSaliency(new Float32Array(5).fill(2), 4, target), new Float32Array(5));
  }
  // A common factor changes nothing: losses of different sizes give the same targets.
  normaliseSaliency(values.map((x) => x / 1024), 6, "gradnorm").forEach((x, i) => assert.ok(Math.abs(x - normaliseSaliency(values, 6, "gradnorm")[i]!) < 1e-5));
});

test("stages to be trained: the presets' own, without the last block", () => {
  assert.deepEqual(stageBlocks(["sdtp"], 12), [1, 2, 3, 4, 5, 7, 8, 9, 10]);
  assert.deepEqual(stageBlocks(["keep07"], 12), [1]);
  assert.deepEqual(stageBlocks(["all"], 12), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.throws(() => stageBlocks(["baseline"], 12), /preset: baseline \(has no stage before the last of 12 blocks\)/);
  assert.throws(() => stageBlocks(["keep6"], 12), /preset: keep6/);
});
