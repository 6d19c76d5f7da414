// The shipped modules on the model they were trained on: a needle in prose that neither has seen, pruned before the question is known.
import assert from "node:assert/strict";
import { test } from "node:test";
import { shippedProse } from "../../../lib/bench/prose.js";
import { optionalChatTemplate } from "../../../lib/checkpoint/chat-template.js";
import { configurations } from "../../../lib/evaluate/configuration.js";
import { rulerTasks } from "../../../lib/evaluate/ruler/tasks.js";
import { evaluate } from "../../../lib/evaluate/run.js";
import { summarise } from "../../../lib/evaluate/summary.js";
import { load } from "../../../lib/runtime/model.js";
import { defaultScorer } from "../../../lib/runtime/scorers.js";
import { smollm2 } from "./smollm2.js";

const found = await smollm2();

test("the shipped modules are SmolLM2's scorer with nothing more said, and keep07 by them loses far less of a needle than by chance", { skip: "missing" in found ? found.missing : false }, async (t) => {
  const model = await load("file" in found ? found.file : "");
  t.after(() => model.release());
  assert.equal((await defaultScorer(model.checkpoint)).name, "learned");
  const asking = { tokenizer: await model.tokenizer(), chat: await optionalChatTemplate(model.checkpoint), query: "agnostic" } as const;
  assert.ok(asking.chat);
  const [task] = await rulerTasks({ tasks: ["niah_single_2"], lengths: [1024], samples: 3, seeds: [1], text: await shippedProse(), asking, config: model.config });
  const [unpruned, learned, random] = summarise(await evaluate(model, task!, configurations({ presets: ["keep07"], scorers: ["learned", "random"] })), "score");
  assert.ok(unpruned!.loss!.mean < 0.3, `unpruned ${unpruned!.loss!.mean}`);
  assert.ok(learned!.loss!.difference!.mean < 0.5 * random!.loss!.difference!.mean, `learned ${learned!.loss!.difference!.mean}, random ${random!.loss!.difference!.mean}`);
  assert.ok(learned!.kvBytes < 0.75 * unpruned!.kvBytes);
});
