import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { fileNames, withOwnIds } from "../../../lib/evaluate/file-names.js";
import { longbenchTasks } from "../../../lib/evaluate/longbench/task.js";
import { promptFileTasks } from "../../../lib/evaluate/prompts-file.js";

const folder = await mkdtemp(join(tmpdir(), "sdtp-names-"));
after(() => rm(folder, { recursive: true }));

async function written(name: string, lines: readonly object[]): Promise<string> {
  const file = join(folder, name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, lines.map((line) => JSON.stringify(line)).join("\n"));
  return file;
}

test("names of files: as many folders as tell them apart", () => {
  assert.deepEqual(fileNames(["a/qasper.jsonl", "b/hotpotqa.json"]), ["qasper", "hotpotqa"]);
  assert.deepEqual(fileNames(["4096/niah/validation.jsonl", "4096/vt/validation.jsonl", "other.jsonl"]), ["niah/validation", "vt/validation", "other"]);
  assert.deepEqual(fileNames(["x/4096/niah/v.jsonl", "x/8192/niah/v.jsonl"]), ["4096/niah/v", "8192/niah/v"]);
  assert.throws(() => fileNames(["a/b.jsonl", "./a/b.jsonl"]), /data file: \.\/a\/b\.jsonl \(is given twice\)/);
});

test("ids that are there twice get a number", () => {
  assert.deepEqual(withOwnIds([{ id: "a" }, { id: "a" }, { id: "a#2" }, { id: "a" }]).map(({ id }) => id), ["a", "a#3", "a#2", "a#4"]);
});

test("RULER's folders, where every file has the same name: a task each, every item once", async () => {
  const { tokenizer, config } = await openCheckpoint("tiny");
  const line = (answer: string) => ({ index: 0, input: `A number is hidden: ${answer}. What is the special magic number?`, outputs: [answer], length: 20 });
  const files = [await written("4096/niah_single_1/validation.jsonl", [line("11"), line("22")]), await written("4096/niah_single_2/validation.jsonl", [line("33"), line("44")])];
  const tasks = await promptFileTasks(files, { asking: { tokenizer: await tokenizer(), chat: null, query: "agnostic" }, config });
  assert.deepEqual(tasks.map(({ name, items }) => [name, items.map(({ id }) => id)]), [
    ["niah_single_1/validation", ["niah_single_1/validation/0", "niah_single_1/validation/1"]], ["niah_single_2/validation", ["niah_single_2/validation/0", "niah_single_2/validation/1"]],
  ]);
});

test("LongBench's lines with one id, in one file and in two of one name: each prompt is an item of its own", async () => {
  const { tokenizer, config } = await openCheckpoint("tiny");
  const line = (input: string) => ({ input, context: "Ahab was here.", answers: ["Ahab"], length: 3, dataset: "qasper", _id: "x" });
  const files = [await written("one/qasper.jsonl", [line("Who?"), line("Where?")]), await written("two/qasper.jsonl", [line("Why?")])];
  const [task] = await longbenchTasks(await tokenizer(), config, files, { maxNewTokens: 8 });
  assert.deepEqual(task!.items.map(({ id }) => id), ["one/qasper/x", "one/qasper/x#2", "two/qasper/x"]);
});
