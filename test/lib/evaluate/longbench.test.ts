import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { chatTemplate } from "../../../lib/checkpoint/chat-template.js";
import type { Tokenizer } from "../../../lib/checkpoint/tokenizer.js";
import type { ModelConfig } from "../../../lib/checkpoint/types.js";
import { configurations } from "../../../lib/evaluate/configuration.js";
import { datasetNamed, datasets, fill } from "../../../lib/evaluate/longbench/datasets.js";
import { classification, codeSimilarity, counting, f1, hit, normalise, passage } from "../../../lib/evaluate/longbench/metrics.js";
import { readLongbench } from "../../../lib/evaluate/longbench/records.js";
import { rougeLF } from "../../../lib/evaluate/longbench/rouge.js";
import { longbenchTasks } from "../../../lib/evaluate/longbench/task.js";
import { evaluate } from "../../../lib/evaluate/run.js";
import { generate } from "../../../lib/runtime/generate.js";
import { load } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";

const folder = await mkdtemp(join(tmpdir(), "sdtp-longbench-"));
after(() => rm(folder, { recursive: true }));
const chat = await chatTemplate("{{ bos_token }}[user]{{ messages[0].content }}[assistant]", "f", { bos_token: "<s>" });

async function tinyModel(t: TestContext) {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const model = await load(tiny.folder, { threads: 1 });
  t.after(() => model.release());
  return { model, tokenizer: await model.tokenizer() };
}

const close = (actual: number, expected: number) => assert.ok(Math.abs(actual - expected) < 1e-6, `${actual} instead of ${expected}`);

test("answers are compared without case, punctuation and articles", () => {
  assert.equal(normalise(" The  U.S. Army's a-team, and an apple! "), "us armys ateam and apple");
  close(f1("The cat sat.", "a cat sat", []), 1);
  close(f1("cat dog dog", "dog", []), 0.5);
  close(f1("x y", "z", []), 0);
  close(f1("", "z", []), 0);
  close(f1("theory", "the ory", []), 0);
});

test("ROUGE-L over sentences, each distinct word once", () => {
  close(rougeLF("police killed the gunman", "police kill the gunman"), 0.75);
  close(rougeLF("the gunman kill police", "police kill the gunman"), 0.5);
  // w1 w2 from one sentence and w1 w3 w5 from the other: 4 of 5 words found, 8 distinct words said.
  close(rougeLF("w1 w2 w6 w7 w8. w1 w3 w8 w9 w5", "w1 w2 w3 w4 w5"), (2 * 0.8 * (4 / 8)) / (0.8 + 4 / 8));
  close(rougeLF("", "a"), 0);
  close(rougeLF("...", "a"), 0);
  close(rougeLF("a b. c", "a b. c"), 1);
});

test("labels, counts, paragraphs, code and hits", () => {
  const labels = ["Food", "Food and drink", "Animal"];
  close(classification("Type: Food and drink", "Food and drink", labels), 1);
  close(classification("Animal or Food", "Food", labels), 0.5);
  close(classification("Nothing", "Food", labels), 0);
  close(counting("There are 12, or 7.", "12", []), 0.5);
  close(counting("none", "12", []), 0);
  close(passage("Paragraph 3", "Paragraph 3", []), 1);
  close(passage("3 or 13", "Paragraph 13", []), 0.5);
  close(codeSimilarity("\n# comment\nreturn x\nmore", "return x", []), 1);
  close(codeSimilarity("abcd", "abxd", []), 0.75);
  close(codeSimilarity("```", "x", []), 0);
  close(hit("It was Paris, I think", "paris", []), 1);
  close(hit("It was Rome", "paris", []), 0);
  close(hit("anything", " ", []), 0);
});

test("templates: every field is filled as it is, whatever stands in it", () => {
  for (const [name, dataset] of Object.entries(datasets)) {
    const text = fill(dataset, "$& {input} CONTEXT", "$1 QUESTION");
    assert.ok(text.includes("$& {input} CONTEXT"), name);
    assert.equal(text.includes("$1 QUESTION"), dataset.template.includes("{input}"), name);
    assert.ok(dataset.maxNewTokens >= 32);
  }
  assert.equal(
    fill(datasets["hotpotqa"]!, "C", "Q"),
    "Answer the question based on the given passages. Only give me the answer and do not output any other words.\n\nThe following are given passages.\nC\n\n" +
      "Answer the question based on the given passages. Only give me the answer and do not output any other words.\n\nQuestion: Q\nAnswer:",
  );
  assert.equal(datasetNamed("hotpotqa_e"), datasets["hotpotqa"]);
  assert.throws(() => datasetNamed("dureader"), /longbench data set: dureader \(known: narrativeqa/);
});

test("both layouts are read, and what is wrong is said with file and line", async () => {
  const file = join(folder, "hotpotqa.jsonl");
  const read = async (...lines: unknown[]) => {
    await writeFile(file, lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
    return readLongbench(file);
  };
  const [original, fromName, seed] = await read(
    { input: "Q", context: "C", answers: ["A", "B"], length: 5, dataset: "musique", language: "en", all_classes: null, _id: "x1" },
    { input: "Q", context: "C", answers: ["A"] },
    { input: "whole prompt", answers: ["A"] },
  );
  assert.deepEqual(original, { id: "hotpotqa/x1", dataset: "musique", input: "Q", context: "C", answers: ["A", "B"], classes: [], length: 5 });
  assert.deepEqual([fromName!.dataset, fromName!.id], ["hotpotqa", "hotpotqa/1"]);
  assert.deepEqual([seed!.dataset, seed!.context], [null, null]);
  await assert.rejects(read("{"), /hotpotqa\.jsonl, line 1: not JSON/);
  await assert.rejects(read({ input: "Q", answers: [] }), /line 1: answers: \[\] \(must be a string, or an array of strings, at least one\)/);
  assert.deepEqual((await read({ input: "Q", answers: "Paris" }))[0]!.answers, ["Paris"]);
  for (const answers of [[3], [], 3, null, {}, [null], undefined]) await assert.rejects(read({ input: "Q", answers: ["A"] }, { input: "Q", answers }), /hotpotqa\.jsonl, line 2: answers: .* \(must be a string, or an array/);
  await assert.rejects(read({ input: "Q", context: "C", answers: ["A"], length: "5" }), /line 1: length: "5" \(must be a number of words\)/);
  await assert.rejects(read({ input: "Q", answers: ["A"] }, { answers: ["A"] }), /line 2: input: missing/);
  await assert.rejects(read({ input: "Q", context: 3, answers: ["A"] }), /context: 3/);
  await assert.rejects(read({ input: "Q", outputs: ["A"] }), /line 1: answers: missing \(these are not LongBench's lines; RULER's, .* are read by: sdtp evaluate prompts\)/);
  await assert.rejects(read(""), /no lines in it/);
});

test("a task puts each prompt to the model, cut in the middle, and grades what it generates", async (t) => {
  const { model, tokenizer } = await tinyModel(t);
  const file = join(folder, "mixed.jsonl");
  const context = Array.from({ length: 60 }, (_, i) => `word${i}`).join(" ");
  await writeFile(file, [
    { input: "Which word?", context, answers: ["word3"], dataset: "hotpotqa" },
    { input: `${context} Which word?`, answers: ["nothing like it", "word4"] },
  ].map((line) => JSON.stringify(line)).join("\n"));
  const tasks = await longbenchTasks(tokenizer, model.config, [file], { maxLength: 100, maxNewTokens: 8 });
  assert.deepEqual(tasks.map(({ name }) => name), ["longbench-hotpotqa", "longbench-input"]);
  for (const [index, task] of tasks.entries()) {
    const [item] = task.items;
    const prompt = index === 0 ? fill(datasets["hotpotqa"]!, context, "Which word?") : `${context} Which word?`;
    const ids = tokenizer.encode(prompt);
    assert.ok(ids.length > 100);
    // LongBench cuts text: what is left is cut into tokens again, with a new beginning.
    const text = [ids.slice(0, 50), ids.slice(-50)].map((half) => tokenizer.decode(half, { skipSpecialTokens: true })).join("");
    assert.deepEqual(item!.promptIds, tokenizer.encode(text));
    const rows = await evaluate(model, task, configurations({ presets: ["keep07"], scorers: ["recency"] }));
    assert.deepEqual(rows.map(({ config }) => config), ["baseline", "keep07"]);
    const { ids: said } = await generate(model, item!.promptIds, { maxNewTokens: 8 });
    assert.equal(rows[0]!.output, tokenizer.decode(said, { skipSpecialTokens: true }));
    const n = item!.promptIds.length;
    assert.deepEqual([rows[0]!.kv_lens_after_prefill[0], rows[1]!.kv_lens_after_prefill[0]], [n, Math.floor(0.7 * n)]);
  }
  await assert.rejects(longbenchTasks(tokenizer, model.config, [file], { maxLength: 510, maxNewTokens: 8 }), /longbench prompt length: 510/);
});

test("a chat model is asked in its own format, but not in the middle of examples or code", async (t) => {
  const { model, tokenizer } = await tinyModel(t);
  const file = join(folder, "chat.jsonl");
  const context = Array.from({ length: 200 }, (_, i) => `word${i}`).join(" ");
  await writeFile(file, ["hotpotqa", "trec", "triviaqa", "samsum", "lcc", "repobench-p", "qasper"].map((dataset) => JSON.stringify({ input: "Q", context: dataset === "qasper" ? context : "C", answers: ["A"], all_classes: [], dataset })).join("\n"));
  const tasks = await longbenchTasks(tokenizer, model.config, [file], { chat, maxNewTokens: 8 });
  const texts = new Map(tasks.map(({ settings, items }) => [settings["dataset"], tokenizer.decode(items[0]!.promptIds)]));
  assert.equal(texts.get("hotpotqa"), `<s>[user]${fill(datasets["hotpotqa"]!, "C", "Q")}[assistant]`);
  for (const name of ["trec", "triviaqa", "samsum", "lcc", "repobench-p"]) assert.equal(texts.get(name), `<s>${fill(datasets[name]!, "C", "Q")}`);
  assert.deepEqual(tasks.map(({ settings }) => settings["chat"]), [true, false, false, false, false, false, true]);
  const long = tasks.at(-1)!.items[0]!.promptIds;
  assert.ok(long.length <= model.config.maxPositions - 8 && long.length > model.config.maxPositions - 24, `${long.length} tokens with the template around them`);
  assert.match(texts.get("qasper")!, /^<s>\[user\]You are given .*\[assistant\]$/s);
  // A line end would end the answer: there is one token all the same.
  const [row] = await evaluate(model, tasks.find(({ name }) => name === "longbench-samsum")!, configurations({ presets: ["baseline"], scorers: ["recency"] }));
  assert.ok(row!.decoded_tokens >= 1);
});

test("agnostic: the context alone is prefilled, what follows it in the prompt is appended; the right answer has a loss", async (t) => {
  const { model, tokenizer } = await tinyModel(t);
  const file = join(folder, "agnostic.jsonl");
  await writeFile(file, [
    { input: "Who?", context: "A ship.", answers: ["B"], dataset: "triviaqa" },
    { input: "", context: "A passage.", answers: ["2"], dataset: "passage_count" },
  ].map((line) => JSON.stringify(line)).join("\n"));
  for (const template of [null, chat]) {
    const [aware, agnostic] = await Promise.all((["aware", "agnostic"] as const).map((query) => longbenchTasks(tokenizer, model.config, [file], { maxNewTokens: 4, chat: template, query })));
    for (const [i, task] of agnostic!.entries()) {
      const whole = aware![i]!;
      const [part] = task.items;
      const text = tokenizer.decode(part!.promptIds);
      assert.ok(tokenizer.decode(whole.items[0]!.promptIds).startsWith(text) && /(A ship|A passage)\.$/.test(text), text);
      assert.equal(task.settings["query"], "agnostic");
      const rows = await Promise.all([whole, task].map(async (each) => (await evaluate(model, each, configurations({ presets: [], scorers: [] })))[0]!));
      // The same text, cut into tokens in two parts: bytes are tokens here, so they are the same.
      assert.ok(Math.abs(rows[0]!.metrics["loss"]! - rows[1]!.metrics["loss"]!) < 1e-3);
      assert.equal(rows[0]!.output, rows[1]!.output);
      assert.ok(rows[1]!.append_latency_seconds! > 0 && rows[0]!.append_latency_seconds === undefined);
    }
  }
  await writeFile(file, JSON.stringify({ input: "all of it", answers: ["B"] }));
  await assert.rejects(longbenchTasks(tokenizer, model.config, [file], { query: "agnostic" }), /longbench: agnostic\/0: has no context apart from its question/);
});

test("LongBench-E is graded by length", async () => {
  const file = join(folder, "qasper_e.jsonl");
  const record = (length: unknown) => JSON.stringify({ input: "Q", context: "C", answers: ["A"], length });
  await writeFile(file, [10, 3999, 4000, 8000].map(record).join("\n"));
  const tokenizer = { encode: () => [1, 2, 3], decode: () => "" } as unknown as Tokenizer;
  const config = { maxPositions: 512, eosTokenIds: [] } as unknown as ModelConfig;
  const tasks = await longbenchTasks(tokenizer, config, [file]);
  assert.deepEqual(tasks.map(({ name, items }) => [name, items.length]), [["longbench-qasper_e-0-4k", 2], ["longbench-qasper_e-4-8k", 1], ["longbench-qasper_e-8k+", 1]]);
  await writeFile(file, record(undefined));
  await assert.rejects(longbenchTasks(tokenizer, config, [file]), /qasper_e\/0 of qasper_e: length: missing \(LongBench-E is graded by length/);
  const paragraphs = join(folder, "passage_retrieval_en.jsonl");
  await writeFile(paragraphs, JSON.stringify({ input: "Q", context: "C", answers: ["12"] }));
  await assert.rejects(longbenchTasks(tokenizer, config, [paragraphs]), /answers: "12" \(must name a paragraph: "Paragraph 12"\)/);
});
