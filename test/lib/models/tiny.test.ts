import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { configurations } from "../../../lib/evaluate/configuration.js";
import { retrievalTask } from "../../../lib/evaluate/retrieval.js";
import { evaluate } from "../../../lib/evaluate/run.js";
import { summarise } from "../../../lib/evaluate/summary.js";
import { stagePositions } from "../../../lib/methods/plan/stages.js";
import { presets } from "../../../lib/methods/sdtp.js";
import { readPruner } from "../../../lib/methods/scorers/learned.js";
import { load } from "../../../lib/runtime/model.js";
import { loadCorpus } from "../../../lib/train/corpus.js";

const model = await load("tiny", { threads: 1 });
after(() => model.release());

test("the embedded model's pruning modules were trained for it, for every block that a preset prunes after, and are the default", async () => {
  const { modules, metadata } = await readPruner(join(model.checkpoint.folder, "pruner.safetensors"));
  assert.equal(metadata["model"], await model.checkpoint.hash());
  const last = model.config.layers - 1;
  for (const preset of Object.values(presets)) {
    for (const block of stagePositions(preset, model.config.layers)) assert.ok(block === last || modules.has(block), `${preset.name}: block ${block}`);
    const run = await model.prefill(Array.from({ length: 100 }, (_, i) => i), { preset });
    assert.equal(run.scorer, preset.stages.length ? "learned" : null);
  }
});

test("pass keys in held-out prose outlast the pruning of two thirds of the prompt under learned scores, not under random ones", async () => {
  const text = loadCorpus().heldOut.at(-1)!;
  const task = retrievalTask(await model.tokenizer(), { text, lengths: [512], depths: [0.2, 0.5], samples: 4, seed: 31 });
  const rows = await evaluate(model, task, configurations({ presets: ["sdtp"], scorers: ["learned", "random"] }));
  const [baseline, learned, random] = summarise(rows, task.metric).map(({ mean }) => mean);
  assert.ok(baseline! >= 0.9, `baseline ${baseline}`);
  assert.ok(learned! >= 0.8, `learned ${learned}`);
  assert.ok(random! <= 0.4, `random ${random}`);
});
