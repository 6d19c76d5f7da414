// Gradients of the training graph against central differences of the plain float64 forward pass.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../../lib/checkpoint/config.js";
import { requiredTensors } from "../../../lib/checkpoint/required.js";
import { RotaryTables } from "../../../lib/decoder/rotary.js";
import { lossGraph, trainingGraph } from "../../../lib/decoder/training.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { centralDifferences, nextTokenLoss } from "../../reference/gradient.js";
import type { Variant } from "../../reference/variants.js";
import { runGraph, type Feed } from "../onnx/run.js";

const LENGTH = 12;

for (const variant of ["llama-tied", "llama-linear-biases", "qwen2", "qwen3"] satisfies Variant[]) {
  test(`gradients of every kind of weight: ${variant}`, async (t) => {
    const tiny = tinyCheckpoint(variant);
    t.after(() => tiny.remove());
    const config = parseConfig({ ...tiny.config }, "config.json");
    const sequences = [0, 1].map((row) => Array.from({ length: LENGTH + 1 }, (_, i) => (i * 29 + 17 * row + 3) % config.vocabSize));
    const parameters = requiredTensors(config);
    const feeds = inputs(config, sequences);
    for (const { name, shape } of parameters) feeds[name] = { dtype: "float32", data: Float32Array.from(tiny.weights.get(name)!), dims: shape };

    const results = await runGraph(trainingGraph(config, parameters, 2, LENGTH), feeds);
    const loss = () => sequences.reduce((sum, ids) => sum + nextTokenLoss(tiny.config, tiny.weights, ids) / 2, 0);
    assert.ok(Math.abs(results["loss"]!.data[0]! - loss()) < 1e-5 * loss());

    for (const { name } of parameters.filter(({ name }) => !/layers\.[02]\./.test(name))) {
      const weight = tiny.weights.get(name) as Float64Array;
      const actual = results[`gradient:${name}`]!.data;
      const indices = [0, 1, 2].map((k) => Math.floor(((k + 0.5) * weight.length) / 3));
      const expected = centralDifferences(loss, weight, { indices });
      const scale = Math.max(...actual.map(Math.abs));
      // centralDifferences gives one number an index, in their order.
      indices.forEach((index, k) => assert.ok(Math.abs(expected[k]! - actual[index]!) < 1e-3 * scale, `${name}[${index}]: ${actual[index]} instead of ${expected[k]}`));
    }
  });
}

test("the loss graph gives each token's loss and the likeliest next token", async (t) => {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const config = parseConfig({ ...tiny.config }, "config.json");
  const ids = Array.from({ length: LENGTH + 1 }, (_, i) => (i * 31 + 5) % config.vocabSize);
  const feeds = inputs(config, [ids]);
  delete feeds["loss_weights"];
  for (const { name, shape } of requiredTensors(config)) feeds[name] = { dtype: "float32", data: Float32Array.from(tiny.weights.get(name)!), dims: shape };
  const { token_losses: losses, predictions } = await runGraph(lossGraph(config, requiredTensors(config), 1, LENGTH), feeds);
  const mean = losses!.data.reduce((a, b) => a + b, 0) / LENGTH;
  assert.ok(Math.abs(mean - nextTokenLoss(tiny.config, tiny.weights, ids)) < 1e-5);
  assert.equal(predictions!.data.length, LENGTH);
});

function inputs(config: ReturnType<typeof parseConfig>, sequences: number[][]): Record<string, Feed> {
  const rows = sequences.length * LENGTH;
  const rotary = [...new RotaryTables(config).prompt(LENGTH)].map(([name, { data, shape }]): [string, Feed] => [name, { dtype: "float32", data, dims: [...shape] }]);
  return {
    ids: { dtype: "int64", data: sequences.flatMap((ids) => ids.slice(0, LENGTH)), dims: [sequences.length, LENGTH] },
    targets: { dtype: "int64", data: sequences.flatMap((ids) => ids.slice(1)), dims: [rows, 1] },
    loss_weights: { dtype: "float32", data: new Float32Array(rows).fill(1 / rows), dims: [rows, 1] },
    ...Object.fromEntries(rotary),
  };
}
