import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Samples, type Settings } from "./samples.js";

const folder = mkdtempSync(join(tmpdir(), "sdtp-peers-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const settings: Settings = { schema_version: 1, threads: 2, new_tokens: 8, cpu: { model: "a processor", cores: 2 }, memory_bytes: 2 ** 34 };
const failure = (round: number) => ({ model: "smollm2" as const, length: 256, row: "torch fp32", round, time: "2026-11-30T10:00:00Z", reason: "it crashed" });

test("what_was_added_is_there_when_the_file_is_opened_again", async () => {
  const file = join(folder, "again", "samples.jsonl");
  (await Samples.open(file, settings)).add(failure(1));
  assert.deepEqual((await Samples.open(file, settings)).lines, [failure(1)]);
});

test("a_line_that_a_kill_cut_off_is_dropped_and_the_next_one_is_whole", async () => {
  const file = join(folder, "cut.jsonl");
  (await Samples.open(file, settings)).add(failure(1));
  appendFileSync(file, JSON.stringify(failure(2)).slice(0, 30));
  (await Samples.open(file, settings)).add(failure(3));
  assert.deepEqual((await Samples.open(file, settings)).lines, [failure(1), failure(3)]);
});

test("samples_of_other_settings_are_left_as_they_are", async () => {
  const file = join(folder, "other.jsonl");
  (await Samples.open(file, settings)).add(failure(1));
  const before = readFileSync(file);
  await assert.rejects(Samples.open(file, { ...settings, threads: 4 }), /was measured with threads 2, not 4/);
  await assert.rejects(Samples.open(file, { ...settings, cpu: { model: "another", cores: 2 } }), /was measured with cpu /);
  assert.deepEqual(readFileSync(file), before);
});

test("a_file_that_is_something_else_is_refused_with_its_line", async () => {
  const file = join(folder, "damaged.jsonl");
  writeFileSync(file, `${JSON.stringify(settings)}\nno json\n`);
  await assert.rejects(Samples.open(file, settings), /damaged\.jsonl \(line 2 is no JSON\)/);
  writeFileSync(file, `{"rows": []}\n`);
  await assert.rejects(Samples.open(file, settings), /its first line must be settings/);
});
