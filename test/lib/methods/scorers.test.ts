// One matrix over all scorers: against their formulas, alone and after an earlier stage has pruned.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { writeSafetensors } from "../../../lib/checkpoint/safetensors.js";
import { defineScorer } from "../../../lib/methods/scorer.js";
import { attention } from "../../../lib/methods/scorers/attention.js";
import { readPruner, type PruningModule } from "../../../lib/methods/scorers/learned.js";
import type { UserMethod } from "../../../lib/methods/method.js";
import { load } from "../../../lib/runtime/model.js";
import type { Run } from "../../../lib/runtime/run.js";
import { defaultScorer, resolveScorer } from "../../../lib/runtime/scorers.js";
import { normalNumbers, tinyCheckpoint, type TinyCheckpoint } from "../../reference/checkpoints.js";
import { forward } from "../../reference/forward.js";
import type { Variant } from "../../reference/variants.js";
import * as formulas from "./scores.js";

const twice: UserMethod = { name: "twice", baseDepth: 3, stages: [{ afterBlock: 0, ratio: 0.8 }, { afterBlock: 1, ratio: 0.75 }] };
const prompt = (n: number, vocabulary: number) => Array.from({ length: n }, (_, i) => (i * 37 + 11 * (i % 7)) % vocabulary);

/** Random modules after the first two blocks. */
function randomModules(hiddenSize: number, placed = false): Map<number, PruningModule> {
  const normal = normalNumbers(5);
  const numbers = (n: number, scale: number) => Float32Array.from({ length: n }, () => scale * normal());
  const innerSize = hiddenSize / 4;
  return new Map([0, 1].map((layer) => [layer, {
    hiddenSize, innerSize,
    weight0: numbers(hiddenSize * innerSize, 0.1), bias0: numbers(innerSize, 0.1), weight2: numbers(innerSize, 1), bias2: numbers(1, 1), distance: placed ? numbers(innerSize, 0.3) : null,
  }]));
}

async function writeModules(file: string, modules: ReadonlyMap<number, PruningModule>): Promise<void> {
  await writeSafetensors(file, [...modules].flatMap(([layer, { hiddenSize, innerSize, weight0, bias0, weight2, bias2, distance }]) => [
    { name: `${layer}.scorer.0.weight`, dtype: "F32" as const, shape: [innerSize, hiddenSize], data: weight0 },
    { name: `${layer}.scorer.0.bias`, dtype: "F32" as const, shape: [innerSize], data: bias0 },
    { name: `${layer}.scorer.2.weight`, dtype: "F32" as const, shape: [1, innerSize], data: weight2 },
    { name: `${layer}.scorer.2.bias`, dtype: "F32" as const, shape: [1], data: bias2 },
    ...(distance ? [{ name: `${layer}.scorer.distance`, dtype: "F32" as const, shape: [innerSize], data: distance }] : []),
  ]));
}

for (const variant of ["llama-tied", "llama-linear-biases", "mistral", "qwen3", "gemma2", "bloom"] satisfies Variant[]) {
  describe(variant, async () => {
    const tiny: TinyCheckpoint = tinyCheckpoint(variant);
    const folder = await mkdtemp(join(tmpdir(), "sdtp-scorers-"));
    const model = await load(tiny.folder, { threads: 1 });
    const modules = randomModules(model.config.hiddenSize);
    await writeModules(join(folder, "pruner.safetensors"), modules);
    const placed = randomModules(model.config.hiddenSize, true);
    await writeModules(join(folder, "placed.safetensors"), placed);
    after(async () => {
      await model.release();
      tiny.remove();
      await rm(folder, { recursive: true });
    });
    const matrix: Record<string, formulas.Formula> = {
      attention: formulas.attention,
      norm: formulas.norm,
      recency: formulas.recency,
      random: formulas.random(0),
      "random:123456789": formulas.random(123456789),
      [`learned:${join(folder, "pruner.safetensors")}`]: formulas.learned(modules),
      [`learned:${join(folder, "placed.safetensors")}`]: formulas.learned(placed),
    };
    for (const [name, formula] of Object.entries(matrix)) {
      for (const n of [25, 48]) {
        test(`${name.split(":")[0]} of ${n} tokens is its formula, at a first stage and at a second`, async () => {
          const ids = prompt(n, tiny.config.vocab_size);
          const run = await model.prefill(ids, { preset: twice, scorer: name, scores: true });
          run.stages.forEach(({ scores, afterLayer }, stage) => {
            const expected = formula({ config: tiny.config, weights: tiny.weights, ids, result: reference(run, ids), afterLayer, stage });
            assertClose(scores!, expected, name);
          });
        });
      }
      test(`${name.split(":")[0]}: the same prompt scores the same twice`, async () => {
        const ids = prompt(40, tiny.config.vocab_size);
        const [a, b] = [await model.prefill(ids, { preset: twice, scorer: name, scores: true }), await model.prefill(ids, { preset: twice, scorer: name, scores: true })];
        a.stages.forEach(({ scores }, stage) => assert.deepEqual(scores, b.stages[stage]!.scores));
      });
    }

    /** The reference pass over the tokens that the run kept. */
    function reference(run: Run, ids: readonly number[]) {
      const score = (_: unknown, positions: number[], stage: number) => positions.map((position) => Number(run.stages[stage]!.kept.includes(position)));
      return forward(tiny.config, tiny.weights, ids, { prune: { stages: run.stages, score } });
    }
  });
}

test("attention: a token is not scored lower for being seen by fewer of the last 32", async (t) => {
  // With keys of zero every query spreads its attention evenly, so token t gets the mean of 1/(q + 1) over the q >= t.
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const model = await load(tiny.folder, { threads: 1 });
  t.after(() => model.release());
  const uniform = defineScorer("uniform", (g, input) => attention.score(g, { ...input, keys: g.mul(input.keys, 0) }));
  const run = await model.prefill(prompt(40, tiny.config.vocab_size), { preset: { ...twice, stages: [{ afterBlock: 0, ratio: 0.9 }] }, scorer: uniform, scores: true });
  const expected = Array.from({ length: 40 }, (_, token) => {
    const from = Math.max(8, token);
    let sum = 0;
    for (let query = from; query < 40; query++) sum += 1 / (query + 1);
    return sum / (40 - from);
  });
  assertClose(run.stages[0]!.scores!, expected, "uniform attention");
});

test("random: different seeds and stages give different orders, spread over [0, 1)", async (t) => {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const model = await load(tiny.folder, { threads: 1 });
  t.after(() => model.release());
  const ids = prompt(400, tiny.config.vocab_size);
  const whole: UserMethod = { name: "whole", baseDepth: 3, stages: [{ afterBlock: 0, ratio: 1 }, { afterBlock: 1, ratio: 1 }] };
  const scores = async (scorer: string) => (await model.prefill(ids, { preset: whole, scorer, scores: true })).stages.map((stage) => stage.scores!);
  const [a, b] = [await scores("random:1"), await scores("random:2")];
  for (const values of [...a, ...b]) {
    assert.ok(values.every((value) => value >= 0 && value < 1));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    assert.ok(Math.abs(mean - 0.5) < 0.07, `mean ${mean}`);
  }
  assert.notDeepEqual(a[0], b[0]);
  assert.notDeepEqual(a[0], a[1]);
});

test("scorer names: those known, their arguments, and errors that say what is known", async (t) => {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const { checkpoint } = await load(tiny.folder);
  assert.equal((await defaultScorer(checkpoint)).name, "recency");
  assert.notEqual((await resolveScorer("random:1", checkpoint)).key, (await resolveScorer("random:2", checkpoint)).key);
  for (const name of ["attention:3", "norm:x", "salience"]) {
    await assert.rejects(resolveScorer(name, checkpoint), new RegExp(`scorer: ${name} \\(known: learned, learned:FILE, learned:NAME, attention, window`));
  }
  await assert.rejects(resolveScorer("random:-1", checkpoint), /seed: -1/);
  await assert.rejects(resolveScorer("learned", checkpoint), /there are no modules for this model beside its weights, nor in the package/);
  await writeModules(join(tiny.folder, "pruner.safetensors"), randomModules(32));
  assert.equal((await defaultScorer(checkpoint)).name, "learned");
});

test("learned: a stage without a module, a module of another size and a wrong tensor are named", async (t) => {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const model = await load(tiny.folder, { threads: 1 });
  t.after(() => model.release());
  const file = join(tiny.folder, "pruner.safetensors");
  const ids = prompt(40, 200);
  await writeModules(file, new Map([[2, randomModules(32).get(0)!]]));
  await assert.rejects(model.prefill(ids, { preset: twice, scorer: `learned:${file}` }), /no module for the stage after block 0 \(there are modules after 2\)/);
  await writeModules(file, randomModules(16));
  await assert.rejects(model.prefill(ids, { preset: twice, scorer: `learned:${file}` }), /modules are for hidden size 16 \(the model has 32\)/);
  await writeSafetensors(file, [{ name: "0.scorer.0.weight", dtype: "F32", shape: [8, 32], data: new Float32Array(256) }, { name: "0.scorer.0.bias", dtype: "F32", shape: [7], data: new Float32Array(7) }]);
  await assert.rejects(readPruner(file), /tensor 0\.scorer\.0\.bias has shape \[7\] \(must be \[8\]\)/);
});

function assertClose(actual: ArrayLike<number>, expected: readonly number[], label: string): void {
  assert.equal(actual.length, expected.length, label);
  const scale = Math.max(...expected.map(Math.abs));
  expected.forEach((value, i) => assert.ok(Math.abs(actual[i]! - value) <= 1e-4 * scale, `${label} [${i}]: ${actual[i]} instead of ${value}`));
}
