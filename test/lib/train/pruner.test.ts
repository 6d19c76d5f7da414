import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { Random } from "../../../lib/random.js";
import { readPruner } from "../../../lib/methods/scorers/learned.js";
import { load } from "../../../lib/runtime/model.js";
import { spearman, topOverlap } from "../../../lib/train/agreement.js";
import type { Example } from "../../../lib/train/examples.js";
import { gumbelDifferences } from "../../../lib/train/gumbel.js";
import { trainPruner, type PrunerStep } from "../../../lib/train/pruner.js";
import { MAX_PAIRS, rankingPairs } from "../../../lib/train/ranking-pairs.js";
import { SaliencyFile, SaliencyWriter } from "../../../lib/train/saliency-file.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";

const folder = await mkdtemp(join(tmpdir(), "sdtp-pruner-"));
const tiny = tinyCheckpoint("llama");
const checkpoint = await openCheckpoint(tiny.folder);
after(async () => {
  tiny.remove();
  await rm(folder, { recursive: true });
});

/** Examples whose saliency can be read off the token, over many powers of ten: something that modules can learn. */
async function planted(name: string, count: number): Promise<SaliencyFile> {
  const out = join(folder, name);
  const random = new Random(3);
  const examples: Example[] = Array.from({ length: count }, () => ({ ids: Array.from({ length: 48 }, () => random.int(60)), promptLength: 40 }));
  const settings = { blocks: [0, 1], target: "gradnorm", loss: "response", objective: "log-odds", model: await checkpoint.hash() } as const;
  const writer = await SaliencyWriter.open(out, settings, examples);
  for (const { ids } of examples) {
    const values = Float32Array.from(ids, (id) => 10 ** (-4 + (8 * ((37 * id) % 60)) / 60));
    await writer.append([values, values]);
  }
  await writer.finish();
  return SaliencyFile.open(out);
}

const losses = { crossEntropy: 0, mse: 1, ranking: 1 };

test("modules learn what their saliency says, and serve as the scorer learned", async () => {
  const out = join(folder, "modules.safetensors");
  const log: PrunerStep[] = [];
  const saliency = await planted("learn.safetensors", 60);
  const agreement = await trainPruner({
    checkpoint, saliency, folder: join(folder, "learn"), out, threads: 1, onStep: (step) => log.push(step),
    recipe: { losses, learningRate: 1e-2, batch: 4, epochs: 20 },
  });
  assert.equal(log.length, (54 * 20) / 4);
  const mean = (steps: PrunerStep[], key: "mse" | "ranking") => steps.reduce((sum, step) => sum + step[key]!, 0) / steps.length;
  for (const key of ["mse", "ranking"] as const) assert.ok(mean(log.slice(-10), key) < 0.7 * mean(log.slice(0, 5), key), key);
  for (const { block, spearman: correlation, topTenth } of agreement) {
    assert.ok(correlation > 0.7, `block ${block}: ${correlation}`);
    assert.ok(topTenth > 0.4, `block ${block}: ${topTenth}`);
  }

  const { modules, metadata } = await readPruner(out);
  assert.deepEqual([...modules.keys()], [0, 1]);
  assert.equal(metadata["model"], await checkpoint.hash());
  assert.equal(metadata["data"], saliency.data);
  assert.deepEqual(JSON.parse(metadata["held_out"]!), agreement);
  assert.deepEqual(JSON.parse(metadata["recipe"]!).losses, losses);
  const model = await load(tiny.folder, { threads: 1 });
  const { ids } = saliency.example(59);
  const preset = { name: "whole", baseDepth: 3, stages: [{ afterBlock: 0, ratio: 1 }, { afterBlock: 1, ratio: 1 }] };
  const run = await model.prefill(ids, { preset, scorer: `learned:${out}`, scores: true });
  const [values] = await saliency.values(59);
  for (const { scores } of run.stages) assert.ok(spearman(scores!, values!) > 0.6);
  await model.release();
});

test("trained for evicting, every stage says how much a token is needed anywhere", async () => {
  const out = join(folder, "anywhere.safetensors");
  const random = new Random(3);
  const examples: Example[] = Array.from({ length: 60 }, () => ({ ids: Array.from({ length: 48 }, () => random.int(60)), promptLength: 40 }));
  const settings = { blocks: [0, 1], target: "gradnorm", loss: "response", objective: "log-odds", model: await checkpoint.hash() } as const;
  const file = join(folder, "two.safetensors");
  const writer = await SaliencyWriter.open(file, settings, examples);
  // Needed early alone: the first half of the tokens; late alone: the second.
  const early = (ids: readonly number[]) => Float32Array.from(ids, (id) => (id < 30 ? 10 ** (id / 10) : 1e-3));
  const late = (ids: readonly number[]) => Float32Array.from(ids, (id) => (id >= 30 ? 10 ** ((id - 30) / 10) : 1e-3));
  for (const { ids } of examples) await writer.append([early(ids), late(ids)]);
  await writer.finish();
  const saliency = await SaliencyFile.open(file);
  const train = (kvPolicy: "retain" | "evict") => trainPruner({ checkpoint, saliency, folder: join(folder, `anywhere-${kvPolicy}`), out, threads: 1, recipe: { losses, kvPolicy, learningRate: 1e-2, batch: 4, epochs: 20 } });
  const scoresOf = async () => {
    const model = await load(tiny.folder, { threads: 1 });
    const preset = { name: "whole", baseDepth: 3, stages: [{ afterBlock: 0, ratio: 1 }, { afterBlock: 1, ratio: 1 }] };
    const run = await model.prefill(examples[59]!.ids, { preset, scorer: `learned:${out}`, scores: true });
    await model.release();
    return run.stages.map(({ scores }) => scores!);
  };
  const { ids } = examples[59]!;
  const needed = Float32Array.from(ids, (id) => (id < 30 ? id : id - 30));
  await train("evict");
  for (const scores of await scoresOf()) assert.ok(spearman(scores, needed) > 0.5, String(spearman(scores, needed)));
  await train("retain");
  const [first, second] = await scoresOf();
  assert.ok(spearman(first!, early(ids)) > 0.5 && spearman(second!, late(ids)) > 0.5);
  assert.ok(spearman(second!, early(ids)) < 0);
});

test("a run that was stopped goes on and ends with the same modules, byte for byte; its log has every step once", async () => {
  const saliency = await planted("resume.safetensors", 10);
  const run = (name: string, extra = {}) => trainPruner({
    checkpoint, saliency, folder: join(folder, name), out: join(folder, `${name}.out`), threads: 1,
    recipe: { losses: { crossEntropy: 1, mse: 1, ranking: 1 }, batch: 2, epochs: 2 }, ...extra,
  });
  await run("whole");
  const controller = new AbortController();
  const stop = { signal: controller.signal, onStep: ({ step }: PrunerStep) => { if (step === 4) controller.abort(); } };
  await assert.rejects(run("stopped", stop), { name: "AbortError" });
  assert.ok(!existsSync(join(folder, "stopped.out")));
  await run("stopped");
  assert.deepEqual(await readFile(join(folder, "stopped.out")), await readFile(join(folder, "whole.out")));
  const steps = (await readFile(join(folder, "stopped", "log.jsonl"), "utf8")).trim().split("\n").map((line) => (JSON.parse(line) as PrunerStep).step);
  assert.deepEqual(steps, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  await assert.rejects(run("stopped", { recipe: { losses, batch: 2, epochs: 2 } }), /state\.safetensors \(is of a run with another model, data or settings/);
});

test("another model's saliency and blocks that were not measured are refused", async () => {
  const saliency = await planted("refused.safetensors", 4);
  const options = { checkpoint, saliency, folder: join(folder, "refused"), out: join(folder, "refused.out"), threads: 1 };
  await assert.rejects(trainPruner({ ...options, blocks: [0, 2] }), /pruner block: 2 \(the saliency file has 0, 1\)/);
  const other = tinyCheckpoint("llama", { seed: 2 });
  await assert.rejects(trainPruner({ ...options, checkpoint: await openCheckpoint(other.folder) }), /saliency file: measured on another model/);
  other.remove();
});

test("ranking pairs: all of them where they are few, else a sample of different tokens", () => {
  const { first, second } = rankingPairs(new Random(1), 20);
  const pairs = new Set([...first].map((i, p) => [Number(i), Number(second[p])].sort((a, b) => a - b).join()));
  assert.equal(first.length, 190);
  assert.equal(pairs.size, 190);
  const many = rankingPairs(new Random(1), 700);
  assert.equal(many.first.length, MAX_PAIRS);
  assert.ok([...many.first].every((i, p) => i !== many.second[p] && i >= 0n && i < 700n && many.second[p]! >= 0n && many.second[p]! < 700n));
  assert.deepEqual(rankingPairs(new Random(1), 700), many);
  assert.notDeepEqual(rankingPairs(new Random(2), 700), many);
  assert.throws(() => rankingPairs(new Random(1), 1), /ranking loss: 1 prompt tokens/);
});

test("differences of Gumbel noise are logistic: mean 0, variance π²/3, a quarter beyond ln 3", () => {
  const noise = gumbelDifferences(new Random(4), 40_000);
  const mean = noise.reduce((a, b) => a + b, 0) / noise.length;
  const variance = noise.reduce((a, b) => a + b * b, 0) / noise.length;
  assert.ok(Math.abs(mean) < 0.03);
  assert.ok(Math.abs(variance - Math.PI ** 2 / 3) < 0.1);
  assert.ok(Math.abs(noise.filter((x) => x > Math.log(3)).length / noise.length - 0.25) < 0.01);
});

test("Spearman's correlation and the overlap at the top", () => {
  assert.equal(spearman([1, 2, 3, 4], [10, 100, 1000, 1e9]), 1);
  assert.equal(spearman([1, 2, 3, 4], [4, 3, 2, 1]), -1);
  // Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4.
  assert.ok(Math.abs(spearman([1, 2, 2, 3], [1, 2, 3, 4]) - 4.5 / Math.sqrt(4.5 * 5)) < 1e-12);
  assert.equal(spearman([5, 5, 5], [1, 2, 3]), 0);
  assert.equal(topOverlap([9, 8, 1, 0], [9, 0, 8, 1], 2), 0.5);
  assert.equal(topOverlap([1, 1, 1, 1], [2, 2, 0, 0], 2), 1);
  assert.throws(() => topOverlap([1], [1], 2), /top k: 2/);
  assert.throws(() => spearman([1], []), /agreement: 1 and 0 values/);
});
