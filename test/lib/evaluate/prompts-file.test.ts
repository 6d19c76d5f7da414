import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { promptFileTasks, type PromptFileOptions } from "../../../lib/evaluate/prompts-file.js";

const folder = await mkdtemp(join(tmpdir(), "sdtp-prompts-"));
after(() => rm(folder, { recursive: true }));
const checkpoint = await openCheckpoint("tiny");
const tokenizer = await checkpoint.tokenizer();

async function read(lines: object[] | string, more: Partial<PromptFileOptions> & { query?: "aware" | "agnostic" } = {}) {
  const file = join(folder, "data.jsonl");
  await writeFile(file, typeof lines === "string" ? lines : lines.map((line) => JSON.stringify(line)).join("\n"));
  const { query = "agnostic", ...options } = more;
  return promptFileTasks([file], { asking: { tokenizer, chat: null, query }, config: checkpoint.config, ...options });
}

const text = (ids: readonly number[]) => tokenizer.decode(ids);

test("RULER's lines: parted at the question, graded by all answers or any", async () => {
  const input = "Some special magic numbers are hidden.\nOne of the special magic numbers for a is: 12.\nWhat is the special magic number for a mentioned in the provided text?";
  const line = { index: 0, input, outputs: ["12"], length: 100, answer_prefix: " The special magic number is" };
  const [task] = await read([line]);
  assert.equal(text(task!.items[0]!.promptIds), input.slice(0, input.indexOf("What is")));
  const [aware] = await read([line], { query: "aware" });
  assert.equal(text(aware!.items[0]!.promptIds), `${input}${line.answer_prefix}`);
  await assert.rejects(read([{ ...line, input: "Nothing is asked." }]), /line 1: input: none of RULER's questions in it/);
  assert.equal((await read([{ ...line, input: "Nothing is asked." }], { query: "aware" })).length, 1);
});

test("kvpress's lines: context, question and prefix, a task a name, as many tokens as they say", async () => {
  const line = { context: "The sea. ", question: "What?", answer_prefix: " It is", answer: ["the sea"], task: "niah_single_1", max_new_tokens: 5 };
  const tasks = await read([line, { ...line, task: "qa_1" }, line]);
  assert.deepEqual(tasks.map(({ name, items }) => [name, items.length]), [["niah_single_1", 2], ["qa_1", 1]]);
  assert.equal(text(tasks[0]!.items[0]!.promptIds), "The sea. ");
  assert.equal(tasks[0]!.items[0]!.reserve, tokenizer.encode("What? It is", { addSpecialTokens: false }).length + Math.max(5, tokenizer.encode(" the sea", { addSpecialTokens: false }).length));
});

test("lm-eval's samples: the prompt as it was put, target, length and stops, in both its layouts", async () => {
  const line = { doc_id: 0, doc: { question: "Who?" }, target: "Ada", arguments: { gen_args_0: { arg_0: "Who? ", arg_1: { until: ["\n"], max_gen_toks: 7 } } }, resps: [["Bob"]] };
  for (const args of [line.arguments, [["Who? ", { until: ["\n"], max_gen_toks: 7 }]]]) {
    const [task] = await read([{ ...line, arguments: args }], { query: "aware" });
    assert.equal(text(task!.items[0]!.promptIds), "Who? ");
    assert.equal(task!.items[0]!.reserve, 7);
  }
  const listed = { ...line, doc: { outputs: ["Ada", "Bob"] }, target: "['Ada', 'Bob']" };
  // Room is made for all right answers: two, not a list's text.
  const [task] = await read([{ ...listed, arguments: [["Who? ", { until: [], max_gen_toks: 1 }]] }], { query: "aware" });
  assert.equal(task!.items[0]!.reserve, tokenizer.encode(" Ada, Bob", { addSpecialTokens: false }).length);
  await assert.rejects(read([line]), /data\/0: has no context apart from its question/);
  await assert.rejects(read([{ ...line, arguments: [["Who? ", " Ada"]] }], { query: "aware" }), /arguments: " Ada" \(must be those of generate_until/);
});

test("SCBench's turns and LongBench v2's choices", async () => {
  const [turns] = await read([{ context: "A book.", multi_turns: [{ input: "Who?", answer: "Ada" }, { input: "Where?", answer: ["Rome"] }] }]);
  assert.equal(turns!.settings["turns"], "requests");
  assert.equal(text(turns!.items[0]!.promptIds), "A book.\n\n");
  const choice = { _id: "x", context: "A book.", question: "Who wrote it?", choice_A: "Ada", choice_B: "Bob", choice_C: "Cy", choice_D: "Di", answer: "B" };
  const [task] = await read([choice]);
  assert.equal(text(task!.items[0]!.promptIds), "Please read the following text and answer the question below.\n\n<text>\nA book.\n</text>\n\n");
  const [aware] = await read([choice], { query: "aware" });
  assert.match(text(aware!.items[0]!.promptIds), /Choices:\n\(A\) Ada\n\(B\) Bob\n\(C\) Cy\n\(D\) Di\n\n.*The correct answer is \($/s);
  await assert.rejects(read([{ ...choice, answer: "E" }]), /line 1: answer: "E" \(must be A, B, C or D\)/);
});

test("a template of one's own puts any fields in; the metric is chosen", async () => {
  const [task] = await read([{ story: "Long ago.", input: "When?", answer: "long ago" }], { template: "Story: {story}\n\nQ: {input}\nA:", metric: "f1" });
  assert.equal(text(task!.items[0]!.promptIds), "Story: Long ago.\n\nQ: ");
  assert.equal(task!.settings["metric"], "f1");
  await assert.rejects(read([{ input: "When?", answer: "x" }], { template: "{story}{input}" }), /line 1: story: missing \(the template puts it in/);
  await assert.rejects(read([{}], { metric: "bleu" }), /metric: bleu/);
});

test("what is none of these is refused by file, line and field", async () => {
  await assert.rejects(read([{ text: "a" }]), /data\.jsonl, line 1: fields text \(must be those of RULER/);
  await assert.rejects(read("{}\n{"), /line 1: fields  \(must be|line 2/);
  await assert.rejects(read("\n"), /no lines in it/);
  await assert.rejects(read([{ context: "a", question: "b", answer: [] }]), /line 1: answer: \[\] \(must be a string that is not empty/);
  await assert.rejects(read([{ context: 3, question: "b", answer: "c" }]), /line 1: context: 3 \(must be a string\)/);
  await assert.rejects(read([{ context: "a", question: "b", answer: "c", max_new_tokens: 0 }]), /max_new_tokens: 0 \(must be a positive integer\)/);
  await assert.rejects(read([{ prompt: "a", answer: "c" }]), /prompt: holds context and question together/);
  await assert.rejects(read([{ context: "a", question: "b", answer: "c" }], { maxLength: 1e6 }), /prompt length: 1000000 \(the model has 40960 positions\)/);
});
