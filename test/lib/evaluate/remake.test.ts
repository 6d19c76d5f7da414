import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { shippedProse } from "../../../lib/bench/prose.js";
import { chatTemplate } from "../../../lib/checkpoint/chat-template.js";
import { infiniteTaskNames, infiniteTasks } from "../../../lib/evaluate/infinitebench.js";
import { itemDataSchema } from "../../../lib/evaluate/item-data.js";
import { longbenchTasks } from "../../../lib/evaluate/longbench/task.js";
import { perplexityTask } from "../../../lib/evaluate/perplexity.js";
import { promptFileTasks } from "../../../lib/evaluate/prompts-file.js";
import { remadeItems } from "../../../lib/evaluate/remake.js";
import { retrievalTask } from "../../../lib/evaluate/retrieval.js";
import { rulerTaskNames } from "../../../lib/evaluate/ruler/names.js";
import { rulerTasks } from "../../../lib/evaluate/ruler/tasks.js";
import { checkItems, chosenItems, type EvaluationTask } from "../../../lib/evaluate/task.js";
import { load } from "../../../lib/runtime/model.js";

const model = await load("tiny", { threads: 1 });
const folder = await mkdtemp(join(tmpdir(), "sdtp-remake-"));
after(async () => {
  await model.release();
  await rm(folder, { recursive: true });
});
const tokenizer = await model.tokenizer();
const chat = await chatTemplate("{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}", "test", {});
const messages = { tokenizer: () => model.tokenizer(), checkpoint: Object.create(model.checkpoint, { chatTemplate: { value: async () => chat } }) as typeof model.checkpoint };
const text = await shippedProse();
const aware = { tokenizer, chat: null, query: "aware" } as const;
const { config } = model;

async function written(name: string, ...lines: object[]): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, lines.map((line) => JSON.stringify(line)).join("\n"));
  return file;
}

/** Every kind of task there is, small. */
async function allTasks(): Promise<EvaluationTask[]> {
  const questions = {
    squad: await written("squad.jsonl", { title: "Sea", context: "The sea is green.", question: "What is green?", answers: { text: ["The sea", "sea"] } }, { title: "Sea", context: "Whales sing.", question: "Who sings?", answers: { text: ["Whales"] } }),
    hotpotqa: await written("hotpotqa.jsonl", { question: "Who?", answer: "Ahab", context: { title: ["A", "B"], sentences: [["One."], ["Two. ", "Three."]] } }),
  };
  const longbench = [
    await written("hotpotqa-e.jsonl", { input: "Who?", context: "Ahab was there. ".repeat(80), answers: ["Ahab", "he"], all_classes: null, length: 5000, dataset: "hotpotqa_e", _id: "x" }),
    await written("trec.jsonl", { input: "Kind?", context: "Kinds.", answers: ["a"], all_classes: ["a", "b"], length: 10, dataset: "trec" }),
    await written("whole.jsonl", { input: "A whole prompt", answers: ["right"] }),
  ];
  const prompts = [
    await written("kvpress.jsonl", { context: "The sea. ", question: "What?", answer_prefix: " It is", answer: ["the sea"], task: "qa_1", max_new_tokens: 5 }),
    await written("scbench.jsonl", { context: "k: 1, l: 2. ", multi_turns: [{ input: "k?", answer: "1" }, { input: "l?", answer: "2" }] }),
    await written("choice.jsonl", { _id: "c", context: "Sea. ", question: "Which?", choice_A: "a", choice_B: "b", choice_C: "c", choice_D: "d", answer: "B" }),
  ];
  return [
    ...(await rulerTasks({ tasks: rulerTaskNames, lengths: [2048], samples: 1, seeds: [3], text, asking: { ...aware, query: "agnostic" }, config, questions })),
    ...infiniteTasks({ tasks: infiniteTaskNames, lengths: [600], samples: 2, seeds: [0], asking: aware, config }),
    ...(["requests", "conversation"] as const).flatMap((turns) => infiniteTasks({ tasks: ["kv_retrieval"], lengths: [900], samples: 1, seeds: [0], questions: 2, asking: { ...aware, query: "agnostic", turns }, config })),
    ...(await longbenchTasks(tokenizer, config, longbench)), ...(await longbenchTasks(tokenizer, config, longbench.slice(0, 1), { query: "agnostic", chat, maxLength: 300 })),
    ...(await promptFileTasks(prompts, { asking: { ...aware, chat }, config })), ...(await promptFileTasks(prompts.slice(0, 1), { asking: aware, config, template: "{context}\n{question}", metric: "f1", maxLength: 50 })),
    perplexityTask(tokenizer, { text, lengths: [50], continuation: 5, samples: 2 }),
    ...(["prompt", "after"] as const).map((ask) => retrievalTask(tokenizer, { text, lengths: [200], depths: [0, 0.5], samples: 1, ask })),
  ];
}

const tasks = await allTasks();
const overTheWire = (task: EvaluationTask) => itemDataSchema.array().parse(JSON.parse(JSON.stringify(task.items.map(({ data }) => data))));

test("every task that there is: its prompts as plain data make the same prompts again, in tokens, names, groups and room", async () => {
  assert.equal(new Set(tasks.map(({ name }) => name)).size, 13 + 3 + 1 + 3 + 3 + 1 + 1);
  for (const task of tasks) {
    const again = await remadeItems(messages, overTheWire(task));
    const facts = ({ id, group, promptIds, reserve }: EvaluationTask["items"][number]) => ({ id, group, promptIds, reserve });
    assert.deepEqual(again.map(facts), task.items.map(facts), task.name);
    assert.deepEqual(again.map(({ data }) => data), task.items.map(({ data }) => data), task.name);
  }
});

test("and they are graded the same", async () => {
  for (const task of tasks.filter(({ items }) => items[0]!.promptIds.length < 700)) {
    const item = task.items[0]!;
    const [again] = await remadeItems(messages, overTheWire(task));
    const [one, two] = await Promise.all([item, again!].map(async (each) => {
      const { decodeSeconds: _, appendSeconds: __, ...outcome } = await each.grade(await model.prefill(each.promptIds, { reserve: each.reserve }));
      return outcome;
    }));
    assert.deepEqual(two, one, task.name);
  }
});

test("prompts in another chat template than the model's are refused", async () => {
  const task = tasks.find(({ items }) => items[0]!.data?.kind === "asked" && items[0]!.data.chat !== null)!;
  const other = await chatTemplate("{{ messages[0].content }}", "other", {});
  const checkpoint = Object.create(model.checkpoint, { chatTemplate: { value: async () => other } }) as typeof model.checkpoint;
  await assert.rejects(remadeItems({ ...messages, checkpoint }, overTheWire(task)), /chat template: [0-9a-f]{16} \(must be [0-9a-f]{16}, in which the prompts are put\)/);
});

test("data with more, or other, fields than a prompt has is none", () => {
  const [data] = overTheWire(tasks[0]!);
  for (const wrong of [{ ...data, run: "code" }, { ...data, kind: "code" }, { ...data, turns: [] }, { ...data, turns: [{ question: "", answers: ["a"], grading: "constructor", maxNewTokens: 1 }] }]) {
    assert.equal(itemDataSchema.safeParse(wrong).success, false);
  }
});

test("prompts are chosen by name, with the task or without it; a name that none has is an error", () => {
  const [first, second] = tasks as [EvaluationTask, EvaluationTask];
  const name = first.items[0]!.id;
  assert.deepEqual(chosenItems([first, second], [`${first.name}:${name}`]).map((task) => [task.name, task.items.length]), [[first.name, 1]]);
  assert.equal(chosenItems([first, second], [name]).length, 2);
  assert.throws(() => chosenItems([first], [name, "9/9/9"]), /item: 9\/9\/9 \(is none of these prompts: ruler-niah_single_1:2048\/3\/0, …\)/);
  checkItems(model, tasks);
});
