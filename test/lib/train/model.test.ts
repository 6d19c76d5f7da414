import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { load } from "../../../lib/runtime/model.js";
import { trainModel, type StepReport, type TrainModelOptions } from "../../../lib/train/model.js";
import { learningRate, phaseAt, tinyRecipe, type Recipe } from "../../../lib/train/recipe.js";
import { tinyConfig } from "../../../lib/train/tiny.js";

const recipe: Recipe = {
  seed: 1,
  phases: [
    { until: 1024, length: 256, tokensPerStep: 256, prose: 0.5, episodes: 0.25, repeats: 0.25 },
    { until: Infinity, length: 128, tokensPerStep: 256, prose: 0.5, episodes: 0, repeats: 0.5 },
  ],
  learningRate: 3e-3,
  warmupTokens: 512,
  decay: 0.3,
  weightDecay: 0.1,
  answerWeight: 4,
};
const config = { ...tinyConfig, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, num_key_value_heads: 1, head_dim: 16, intermediate_size: 48, vocab_size: 320 };
const corpus = {
  train: ["Call me Ishmael. Some years ago, never mind how long precisely, I thought I would sail about a little. ".repeat(30)],
  heldOut: ["The pale Usher, threadbare in coat, heart, body, and brain; I see him now. ".repeat(50)],
};

describe("training a model", () => {
  const folders: string[] = [];
  after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));
  const run = async (options: Partial<TrainModelOptions>) => {
    const folder = options.folder ?? mkdtempSync(join(tmpdir(), "sdtp-train-"));
    folders.push(folder);
    const reports: StepReport[] = [];
    const state = await trainModel({ config, recipe, corpus, tokens: 2560, folder, threads: 1, onStep: (report) => reports.push(report), ...options });
    return { folder, state, reports };
  };

  test("a run that is stopped and gone on with ends in the same weights as one that was not", async () => {
    const whole = await run({});
    const controller = new AbortController();
    const first = await run({ signal: controller.signal, onStep: ({ step }) => { if (step === 4) controller.abort(); } });
    assert.equal(first.state.step, 4);
    const second = await run({ folder: first.folder });
    assert.deepEqual(second.reports.map(({ step }) => step), [5, 6, 7, 8, 9, 10]);
    whole.state.tensors.forEach((tensor, i) => assert.deepEqual(second.state.tensors[i]!.values, tensor.values, tensor.name));
    const steps = readFileSync(join(first.folder, "log.jsonl"), "utf8").trim().split("\n").map((line) => (JSON.parse(line) as StepReport).step);
    assert.deepEqual(steps, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test("a run that diverges ends with the step and the first place that is not finite, its last saved state whole", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sdtp-train-"));
    folders.push(folder);
    await run({ folder, tokens: 512 });
    const state = readFileSync(join(folder, "state.safetensors"));
    const wild = { ...recipe, learningRate: 1e25, warmupTokens: 1 };
    await assert.rejects(run({ folder, recipe: wild }), /^Error: training: (loss is (NaN|-?Infinity) at step \d+: (parameter \S+ holds|embedding is not|block \d \([a-z ]+\) is not|every block is)|the gradient of \S+ is not finite at step \d+)/);
    assert.deepEqual(readFileSync(join(folder, "state.safetensors")), state);
  });

  test("the loss falls, phases follow the tokens seen, and the result is a model folder that runs", async () => {
    const { folder, reports } = await run({ tokens: 12800 });
    const prose = reports.flatMap(({ losses }) => losses.prose ?? []);
    const mean = (part: number[]) => part.reduce((a, b) => a + b, 0) / part.length;
    assert.ok(mean(prose.slice(-5)) < mean(prose.slice(0, 5)) - 0.5, prose.join(" "));
    assert.deepEqual([...new Set(reports.map(({ length }) => length))], [256, 128]);
    const model = await load(join(folder, "model"), { threads: 1 });
    const { logits } = await model.prefill((await model.tokenizer()).encode("Call me"));
    assert.ok(logits.every(Number.isFinite));
    await model.release();
  });

  test("a run of another shape is not taken for this one", async () => {
    const { folder } = await run({ tokens: 256 });
    await assert.rejects(run({ folder, config: { ...config, intermediate_size: 64 } }), /state\.safetensors: .* is missing or of another shape/);
  });
});

test("the learning rate rises, stays and falls to zero", () => {
  const total = 20e6;
  assert.ok(learningRate(tinyRecipe, 0, total) < 0.02 * tinyRecipe.learningRate);
  assert.equal(learningRate(tinyRecipe, 5e6, total), tinyRecipe.learningRate);
  assert.ok(Math.abs(learningRate(tinyRecipe, total * (1 - tinyRecipe.decay / 2), total) - tinyRecipe.learningRate / 2) < 1e-9);
  assert.equal(learningRate(tinyRecipe, total, total), 0);
});

test("shares of every phase add up to 1", () => {
  for (const { prose, episodes, repeats } of tinyRecipe.phases) assert.ok(Math.abs(prose + episodes + repeats - 1) < 1e-9);
  assert.equal(phaseAt(tinyRecipe, 1e12), tinyRecipe.phases.at(-1));
});
