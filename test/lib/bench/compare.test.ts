import assert from "node:assert/strict";
import { test } from "node:test";
import { compare } from "../../../lib/bench/compare.js";
import { mannWhitney } from "../../../lib/bench/mann-whitney.js";
import { endToEndMeasurement } from "../../../lib/bench/measurement.js";
import type { EndToEndResults } from "../../../lib/bench/results.js";
import { comparisonTable } from "../../../lib/report/compare.js";
import { toMarkdown } from "../../../lib/report/formats/index.js";
import { baselineResults, endToEndResults, metadataOf } from "./records.js";

test("p values are those of the exact distribution, counted by hand", () => {
  // 6 orderings of 2 and 2 values: U = 0 in one of them.
  assert.equal(mannWhitney([1, 2], [3, 4]), 2 / 6);
  assert.equal(mannWhitney([1, 4], [2, 3]), 1);
  // 252 orderings of 5 and 5; U <= 1 in two of them.
  assert.ok(Math.abs(mannWhitney([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) - 2 / 252) < 1e-12);
  assert.ok(Math.abs(mannWhitney([1, 2, 3, 4, 6], [5, 7, 8, 9, 10]) - 4 / 252) < 1e-12);
  assert.equal(mannWhitney([3, 1], [2, 4, 5]), mannWhitney([2, 4, 5], [3, 1]));
});

test("large samples and ties go by the normal approximation", () => {
  assert.equal(mannWhitney([1, 1], [1, 1]), 1);
  const [a, b] = [Array.from({ length: 30 }, (_, i) => i), Array.from({ length: 30 }, (_, i) => i + 0.5)];
  assert.ok(mannWhitney(a, b) > 0.5);
  assert.ok(mannWhitney(a, b.map((x) => x + 20)) < 1e-4);
  // U = 1.5, ties of 2 and 2: z = 10.5 / sqrt(25 / 12 (11 - 12 / 90)) = 2.2067, p = erfc(z / sqrt 2).
  assert.ok(Math.abs(mannWhitney([1, 2, 2, 3, 5], [4, 5, 6, 7, 8]) - 0.027328) < 1e-5);
});

const around = (seconds: number) => Array.from({ length: 6 }, (_, i) => seconds * (1 + 0.01 * (i - 2.5)));

function baseline(prefill: number, decode: number): EndToEndResults {
  const measured = endToEndMeasurement({ prefill: around(prefill), decode: around(decode) }, { kv_lens_after_prefill: [64] });
  return { schema_version: 1, metadata: { ...metadataOf("baseline"), benchmark_mode: "end2end" }, results: { 64: { baseline: measured } } };
}

test("a real difference is found, and noise is not", () => {
  const { comparisons, differences } = compare([baseline(1, 2)], [baseline(1.2, 2.001)]);
  assert.deepEqual(comparisons.map(({ measure, verdict }) => [measure, verdict]), [["prefill", "slower"], ["decode", "within noise"], ["total", "slower"]]);
  assert.ok(Math.abs(comparisons[0]!.ratio - 1.2) < 1e-9);
  assert.deepEqual(differences, []);
  assert.equal(compare([baseline(1, 2)], [baseline(0.5, 2)]).comparisons[0]!.verdict, "faster");
});

test("three repeats cannot tell a difference from noise, and that is said", () => {
  const result = compare([baselineResults({ 64: [1, 1] })], [baselineResults({ 64: [9, 9] }, { threads: 4 })]);
  assert.deepEqual(new Set(result.comparisons.map(({ verdict }) => verdict)), new Set(["few"]));
  const text = toMarkdown(comparisonTable(result));
  assert.match(text, /^Model tiny, device cpu, dtype fp32, threads 2\. /);
  assert.match(text, /0 of 3 latencies differ beyond noise\./);
  assert.match(text, /A and B differ in threads: 2 and 4\./);
  assert.match(text, /Warning: at least 4 repeats/);
});

test("the baseline that all files of a run share is compared once", () => {
  const set = () => ["keep07", "keep08"].map((config) => endToEndResults(config, { 64: { baseline: [1, 1], sdtp: [1, 1], kept: 44 } }));
  const { comparisons } = compare(set(), set());
  assert.deepEqual(comparisons.map(({ config }) => config), [...Array(3).fill("baseline"), ...Array(3).fill("keep07"), ...Array(3).fill("keep08")]);
});

test("the total is the one that is reported, prefill and decode together", () => {
  const set = (decode: number[]): EndToEndResults => {
    const measured = endToEndMeasurement({ prefill: [1, 2, 4], decode }, { kv_lens_after_prefill: [64] });
    return { schema_version: 1, metadata: { ...metadataOf("baseline"), benchmark_mode: "end2end" }, results: { 64: { baseline: measured } } };
  };
  const total = compare([set([9, 1, 2])], [set([1, 2, 9])]).comparisons[2]!;
  assert.deepEqual([total.a, total.b, total.ratio], [4, 4, 1]);
});

test("the same model in another dtype may be compared, and that is said", () => {
  const { differences } = compare([baseline(1, 1)], [baselineResults({ 64: [1, 1] }, { dtype: "int8", model_hash: "other" })]);
  assert.deepEqual(differences, ["dtype: fp32 and int8"]);
});

test("other models, modes or configurations are refused", () => {
  assert.throws(() => compare([baseline(1, 1)], [baselineResults({ 64: [1, 1] }, { model_hash: "other" })]), /model: tiny \(c0ffee\) and tiny \(other\)/);
  assert.throws(() => compare([baseline(1, 1)], [endToEndResults("keep07", {})]), /no configuration in both \(baseline; keep07\)/);
  assert.throws(() => compare([baseline(1, 1)], [baselineResults({ 128: [1, 1] })]), /no length with samples in both/);
});
