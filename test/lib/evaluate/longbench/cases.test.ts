import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../../../lib/checkpoint/package-root.js";
import { datasetNamed, datasets } from "../../../../lib/evaluate/longbench/datasets.js";
import { lengthGroup, score } from "../../../../lib/evaluate/longbench/score.js";

interface Cases {
  readonly labels: string[];
  readonly templates: Record<string, { prompt: string; maxNewTokens: number }>;
  /** Data set, prediction, answers, the script's score in percent, and the metric for the first answer. */
  readonly scores: [string, string, string[], number, number][];
  readonly sets: { dataset: string; rows: [string, string[], number][]; score: number; byLength: Record<string, number> }[];
}

// Made by reference.py with LongBench's own scripts.
const { labels, templates, scores, sets } = JSON.parse(readFileSync(join(packageRoot(), "test", "lib", "evaluate", "longbench", "cases.json"), "utf8")) as Cases;
const close = (actual: number, expected: number, what: string) => assert.ok(Math.abs(actual - expected) < 1e-12, `${what}: ${actual} instead of ${expected}`);

test("prompts and lengths are LongBench's, to the letter", () => {
  assert.deepEqual(Object.keys(templates).sort(), Object.keys(datasets).sort());
  for (const [name, { prompt, maxNewTokens }] of Object.entries(templates)) {
    assert.equal(createHash("sha256").update(datasets[name]!.template).digest("hex"), prompt, name);
    assert.equal(datasets[name]!.maxNewTokens, maxNewTokens, name);
  }
});

for (const name of Object.keys(templates)) {
  test(`${name}: predictions get the script's score`, () => {
    const dataset = datasetNamed(name);
    for (const [, prediction, answers, percent, first] of scores.filter(([each]) => each === name)) {
      const what = JSON.stringify([prediction, answers]);
      close(Math.round(1e4 * score(dataset, prediction, answers, labels)) / 100, percent, what);
      close(dataset.metric(prediction, answers[0]!, labels), first, what);
    }
  });
}

test("whole sets, and E by length", () => {
  for (const { dataset: name, rows, score: whole, byLength } of sets) {
    const dataset = datasetNamed(`${name}_e`);
    const groups = new Map<string, number[]>();
    for (const [prediction, answers, length] of rows) groups.set(lengthGroup(length), [...(groups.get(lengthGroup(length)) ?? []), score(dataset, prediction, answers, labels)]);
    const percent = (values: readonly number[]) => (100 * values.reduce((sum, value) => sum + value, 0)) / values.length;
    assert.ok(Math.abs(percent([...groups.values()].flat()) - whole) <= 0.0051, name);
    for (const [group, values] of groups) assert.ok(Math.abs(percent(values) - byLength[group]!) <= 0.0051, `${name} ${group}`);
  }
});
