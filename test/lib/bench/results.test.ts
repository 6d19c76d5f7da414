import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { isEndToEnd, parseResults, readResults, readResultsFolder, type Results, resultsFileName, writeResults } from "../../../lib/bench/results.js";
import { baselineResults, prefillResults, seedTable } from "./records.js";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "sdtp-results-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A results file with one field set to something else; `undefined` takes it away. */
function broken(path: string, value: unknown, results: Results = seedTable.keep07): unknown {
  const copy = JSON.parse(JSON.stringify(results));
  const keys = path.split(".");
  const last = keys.pop()!;
  const parent = keys.reduce((inner, key) => inner[key], copy);
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return copy;
}

test("a file that is written can be read again, in both modes and for the baseline alone", async (t) => {
  const at = folder(t);
  for (const results of [seedTable.keep07, prefillResults("keep07", { 1024: { baseline: 2, sdtp: 1, kept: 716 } }), baselineResults({ 1024: [1, 2], 512: [0.5, 1] })]) {
    const file = join(at, "deep", resultsFileName(results.metadata.benchmark_mode, results.metadata.config));
    await writeResults(file, results);
    assert.deepEqual(await readResults(file), results);
  }
  assert.deepEqual(readdirSync(join(at, "deep")).sort(), ["latency_prefill_keep07.json", "latency_results_baseline.json", "latency_results_keep07.json"]);
});

test("the seed's keys are where the seed has them", () => {
  const entry = seedTable.keep07.results["4096"]!;
  assert.ok("sdtp" in entry && isEndToEnd(seedTable.keep07));
  assert.deepEqual(entry.sdtp.kv_lens_after_prefill, [2867, 2867]);
  assert.deepEqual([entry.sdtp.tokens_kept, entry.sdtp.tokens_pruned], [2867, 1229]);
  assert.deepEqual(Object.keys(entry.speedup), ["prefill", "decode", "total"]);
  assert.equal(entry.kv_reduction.toFixed(2), "0.30");
});

test("the seed's example of one length is accepted as it stands, beside the metadata", () => {
  const example = {
    baseline: { prefill_latency_seconds: 0.7493, decode_latency_seconds: 2.9507, total_latency_seconds: 3.7, kv_lens_after_prefill: [4096, 4096] },
    sdtp: { prefill_latency_seconds: 0.4998, decode_latency_seconds: 2.5002, total_latency_seconds: 3.0, kv_lens_after_prefill: [2867, 2867], tokens_kept: 2867, tokens_pruned: 1229 },
    speedup: { prefill: 1.5, decode: 1.18, total: 1.23 },
    kv_reduction: 0.3,
  };
  const { results } = parseResults({ ...seedTable.keep07, results: { "4096": example } }, "f.json");
  assert.deepEqual(results["4096"], example);
});

test("what is wrong in a file is named with file, field and value", () => {
  const wrong: [field: string, value: unknown, message: RegExp][] = [
    ["schema_version", 2, /results file: f\.json: schema_version: 2 \(must be 1: not a results file of this version\)/],
    ["schema_version", undefined, /f\.json: schema_version: missing/],
    ["metadata", undefined, /f\.json: metadata: missing/],
    ["metadata.benchmark_mode", "both", /metadata\.benchmark_mode: "both" \(expected one of "prefill"\|"end2end"\)/],
    ["metadata.threads", "2", /metadata\.threads: "2" \(expected number, received string\)/],
    ["metadata.synthetic_weights", undefined, /metadata\.synthetic_weights: missing/],
    ["results.4k", {}, /results\.4k: /],
    ["results.4096.baseline.prefill_latency_seconds", -1, /results\.4096\.baseline\.prefill_latency_seconds: -1 \(expected number to be >=0\)/],
    ["results.4096.baseline.prefill_latency_seconds", null, /baseline\.prefill_latency_seconds: null/],
    ["results.4096.sdtp", undefined, /results\.4096\.sdtp: missing/],
    ["results.4096.sdtp.tokens_kept", undefined, /sdtp\.tokens_kept: missing/],
    ["results.4096.sdtp.tokens_pruned", 1, /sdtp\.tokens_pruned: 1 \(must make 4096 together with tokens_kept, 2867\)/],
    ["results.4096.sdtp.total_latency_seconds", 9, /sdtp\.total_latency_seconds: 9 \(must be prefill \+ decode, 3\)/],
    ["results.4096.sdtp.kv_lens_after_prefill", [-2867], /sdtp\.kv_lens_after_prefill\.0: -2867/],
    ["results.4096.speedup.total", 0, /speedup\.total: 0/],
    ["results.4096.kv_reduction", 30, /kv_reduction: 30 \(expected number to be <1\)/],
    ["results.4096.sdtp.samples.prefill_seconds", [], /samples\.prefill_seconds: \[\]/],
  ];
  for (const [field, value, message] of wrong) assert.throws(() => parseResults(broken(field, value), "f.json"), message, field);
  assert.throws(() => parseResults(null, "f.json"), /schema_version: missing/);
  assert.throws(() => parseResults([], "f.json"), /schema_version: missing/);
});

test("a file that is missing or no JSON is named", async (t) => {
  const at = folder(t);
  await assert.rejects(readResults(join(at, "none.json")), /results file: .*none\.json \(cannot be read: ENOENT\)/);
  writeFileSync(join(at, "half.json"), '{"schema_version": 1, "meta');
  await assert.rejects(readResults(join(at, "half.json")), /results file: .*half\.json \(is not JSON: /);
});

test("what does not fit is not written, and the file before it stays", async (t) => {
  const file = join(folder(t), "latency_results_keep07.json");
  await writeResults(file, seedTable.keep07);
  const before = readFileSync(file, "utf8");
  await assert.rejects(writeResults(file, broken("results.4096.kv_reduction", 2) as Results), /kv_reduction: 2/);
  assert.equal(readFileSync(file, "utf8"), before);
});

test("a folder gives the files of one mode; an empty or strange one is refused", async (t) => {
  const at = folder(t);
  await assert.rejects(readResultsFolder(at, "end2end"), /results folder: .* \(holds no latency_results_\*\.json\)/);
  await assert.rejects(readResultsFolder(join(at, "none"), "end2end"), /results folder: .*none \(cannot be read: ENOENT\)/);
  for (const results of Object.values(seedTable)) await writeResults(join(at, resultsFileName("end2end", results.metadata.config)), results);
  await writeResults(join(at, "latency_prefill_keep07.json"), prefillResults("keep07", { 1024: { baseline: 2, sdtp: 1, kept: 716 } }));
  writeFileSync(join(at, "notes.json"), "not results");
  const read = await readResultsFolder(at, "end2end");
  assert.deepEqual([...read.values()].map(({ metadata }) => metadata.config), ["keep07", "keep08", "keep09"]);
  assert.equal((await readResultsFolder(at, "prefill")).size, 1);
  await writeResults(join(at, "latency_prefill_keep08.json"), seedTable.keep08);
  await assert.rejects(readResultsFolder(at, "prefill"), /latency_prefill_keep08\.json: metadata\.benchmark_mode: "end2end" \(must be "prefill"/);
});
