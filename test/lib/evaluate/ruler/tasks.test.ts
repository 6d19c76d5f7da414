// Every task of RULER made, and its answers found again in the prompt by another way than they were made.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { shippedProse } from "../../../../lib/bench/prose.js";
import { openCheckpoint } from "../../../../lib/checkpoint/open.js";
import { Random } from "../../../../lib/random.js";
import { commonWordsTask, frequentWordsTask } from "../../../../lib/evaluate/ruler/counting.js";
import { rulerTaskNames } from "../../../../lib/evaluate/ruler/names.js";
import { needleTask, needleTasks } from "../../../../lib/evaluate/ruler/niah.js";
import { questionTask } from "../../../../lib/evaluate/ruler/questions.js";
import { rulerTasks, type RulerOptions } from "../../../../lib/evaluate/ruler/tasks.js";
import { trackingTask } from "../../../../lib/evaluate/ruler/tracking.js";
import { adjectives, nouns, vocabularyOf } from "../../../../lib/evaluate/ruler/words.js";

const text = await shippedProse();
const prose = text.replace(/\s+/g, " ").trim().split(" ");
const checkpoint = await openCheckpoint("tiny");
const tokenizer = await checkpoint.tokenizer();
const options: Omit<RulerOptions, "tasks"> = { lengths: [1600], samples: 3, seeds: [0, 5], text, asking: { tokenizer, chat: null, query: "aware" }, config: checkpoint.config };

test("needles: as many as the task says, asked for by their keys, the values right", () => {
  for (const [name, { haystack, count = 1, valuesEach = 1, asked = 1 }] of Object.entries(needleTasks)) {
    for (const index of [0, 1, 2]) {
      const { context, question, answerPrefix, answers } = needleTask(needleTasks[name]!, prose).make(new Random(1, index), 60, index);
      const found = [...context.matchAll(/One of the special magic (?:numbers|uuids) for (\S+) is: (\S+)\./g)].map(([, key, value]) => [key!, value!] as const);
      assert.equal(found.length, haystack === "needle" ? 61 : count * valuesEach, name);
      const keys = /for (.*) mentioned in the provided text\?$/.exec(question)![1]!.split(/, and |, /);
      assert.equal(keys.length, asked, name);
      assert.deepEqual(new Set(answers), new Set(found.filter(([key]) => keys.includes(key)).map(([, value]) => value)), name);
      assert.equal(answers.length, asked * valuesEach);
      assert.match(answerPrefix, asked * valuesEach === 1 ? /^ The special magic (number|uuid) for \S+ mentioned in the provided text is$/ : /^ The special magic numbers for .* mentioned in the provided text are$/);
      if (haystack === "noise") assert.equal(context.split("The grass is green.").length - 1, 60);
    }
  }
});

test("variable tracking: following the assignments gives the answers; the example before it is solved", () => {
  const { context, question, answerPrefix, answers } = trackingTask.make(new Random(3), 30, 0);
  const value = /assigned the value (\d{5}) in/.exec(question)![1]!;
  const body = context.slice(context.lastIndexOf("Memorize and track"));
  const held = new Map<string, string>();
  for (const [, name, from, number] of body.matchAll(/VAR (\w+) = (?:VAR (\w+)|(\d+))/g)) held.set(name!, number ?? held.get(from!)!);
  assert.deepEqual([...held].filter(([, each]) => each === value).map(([name]) => name), answers);
  assert.equal(answers.length, 5);
  assert.ok(answerPrefix.includes(`5 variables are assigned the value ${value}, they are: `));
  const example = context.slice(0, context.lastIndexOf("Memorize and track"));
  const [, exampleValue, solved] = /are assigned the value (\d{5}), they are: +((?:[A-Z]{3} ?){5})\n/.exec(example)!;
  assert.ok(example.includes(`= ${exampleValue}`));
  for (const name of solved!.trim().split(" ")) assert.ok(example.includes(`VAR ${name} =`));
});

test("common words are the ten most common, frequent words the three most frequent but the dots", () => {
  for (const [length, often, seldom] of [[1024, 6, 1], [8192, 30, 3]] as const) {
    const { context, answers } = commonWordsTask(vocabularyOf(text), length).make(new Random(4), 40, 0);
    const counts = countsOf(context.slice(context.lastIndexOf("Below is")).matchAll(/\d+\. (\w+)/g));
    assert.deepEqual(new Set(counts.slice(0, 10).map(([word]) => word)), new Set(answers));
    assert.deepEqual([counts[9]![1], counts[10]![1], counts.length], [often, seldom, 40]);
  }
  const { context, answers } = frequentWordsTask(4096).make(new Random(4), 600, 0);
  const counts = countsOf(context.slice(context.indexOf("coded words. ") + 13).matchAll(/(\S+)/g));
  assert.deepEqual(counts.slice(0, 4).map(([word]) => word), ["...", ...answers]);
  // Zipf's law with exponent 2: a quarter, a ninth, a sixteenth.
  assert.deepEqual(counts.slice(0, 4).map(([, count]) => count), [364, 91, 40, 22]);
});

function countsOf(matches: Iterable<RegExpMatchArray>): [string, number][] {
  const counts = new Map<string, number>();
  for (const [, word] of matches) counts.set(word!, (counts.get(word!) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

test("questions: the documents that answer are among the others, each once, and questions without an answer are left out", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sdtp-ruler-"));
  t.after(() => rm(folder, { recursive: true }));
  const squad = join(folder, "squad.jsonl");
  await writeFile(squad, Array.from({ length: 12 }, (_, i) => JSON.stringify({ title: `T${i % 3}`, context: `Paragraph ${i} says ${i * 7}.`, question: `What does ${i} say?`, answers: { text: i === 1 ? [] : [String(i * 7)], answer_start: [] } })).join("\n"));
  const task = await questionTask("squad", squad);
  const sample = task.make(new Random(1), 7, 1);
  assert.ok(sample.question.endsWith("Question: What does 2 say?"));
  assert.deepEqual(sample.answers, ["14"]);
  assert.equal(new Set(sample.context.match(/Paragraph \d+ says/g)).size, 7);
  assert.ok(sample.context.includes("Paragraph 2 says 14."));
  const hotpot = join(folder, "hotpot.jsonl");
  await writeFile(hotpot, JSON.stringify({ question: "Who?", answer: "Ada", context: { title: ["A", "B"], sentences: [["Ada ", "was."], ["Bob."]] } }));
  const two = (await questionTask("hotpotqa", hotpot)).make(new Random(1), 2, 0);
  assert.ok(two.context.includes("A\nAda was.") && two.context.includes("B\nBob."));
  await writeFile(hotpot, '{"question": "Who?", "answer": "Ada", "context": {"title": ["A"], "sentences": []}}');
  await assert.rejects(questionTask("hotpotqa", hotpot), /hotpot\.jsonl, line 1: context: .* \(must have title and sentences, as many\)/);
  const [made] = await rulerTasks({ ...options, tasks: ["qa_1"], questions: { squad } });
  assert.equal(made!.items.length, 6);
});

test("every sample fills its length and no more, is the same for its seed, and another for another; both protocols give the model the same tokens", async () => {
  const tasks = rulerTaskNames.filter((name) => !name.startsWith("qa"));
  const made = await rulerTasks({ ...options, tasks });
  assert.deepEqual(made.map(({ name, items }) => [name, items.length]), tasks.map((name) => [`ruler-${name}`, 6]));
  assert.deepEqual((await rulerTasks({ ...options, tasks: ["niah_multivalue"] }))[0]!.items.map(({ promptIds }) => promptIds), made[tasks.indexOf("niah_multivalue")]!.items.map(({ promptIds }) => promptIds));
  for (const { name, items } of made) {
    assert.equal(new Set(items.map(({ promptIds }) => promptIds.join())).size, 6, name);
    for (const { promptIds, reserve } of items) {
      assert.ok(promptIds.length + reserve <= 1600 + 60, `${name}: ${promptIds.length} + ${reserve}`);
      assert.ok(promptIds.length + reserve > 1300, `${name}: ${promptIds.length} + ${reserve}`);
    }
  }
  const agnostic = await rulerTasks({ ...options, tasks: ["niah_multikey_1"], asking: { ...options.asking, query: "agnostic" } });
  agnostic[0]!.items.forEach((item, i) => {
    const aware = made[tasks.indexOf("niah_multikey_1")]!.items[i]!;
    assert.deepEqual(aware.promptIds.slice(0, item.promptIds.length), item.promptIds);
    assert.match(tokenizer.decode(aware.promptIds.slice(item.promptIds.length)), /^What is the special magic number for \S+ mentioned/);
  });
});

test("more samples and seeds leave the others as they are; what cannot be is refused", async () => {
  const few = await rulerTasks({ ...options, tasks: ["fwe"], samples: 1, seeds: [5] });
  const many = await rulerTasks({ ...options, tasks: ["fwe"], samples: 2, seeds: [0, 5] });
  assert.deepEqual(few[0]!.settings, many[0]!.settings);
  assert.deepEqual(few[0]!.items[0]!.promptIds, many[0]!.items.find(({ id }) => id === few[0]!.items[0]!.id)!.promptIds);
  await assert.rejects(rulerTasks({ ...options, tasks: ["niah"] }), /ruler task: niah \(known: niah_single_1, /);
  await assert.rejects(rulerTasks({ ...options, tasks: ["vt"], lengths: [200] }), /ruler length: 200 \(too short for vt/);
  await assert.rejects(rulerTasks({ ...options, tasks: ["vt"], lengths: [1e6] }), /ruler length: 1000000 \(the model has 40960 positions\)/);
});

test("the lists of words hold each word once, small letters alone", () => {
  for (const list of [adjectives, nouns]) {
    assert.equal(new Set(list).size, list.length);
    assert.ok(list.every((word) => /^[a-z]+$/.test(word)));
  }
  assert.ok(vocabularyOf(text).length > 3000);
});
