import assert from "node:assert/strict";
import { test } from "node:test";
import type { Results } from "../../../lib/bench/results.js";
import { toMarkdown } from "../../../lib/report/formats/index.js";
import { records } from "../../../lib/report/table.js";
import { type Source, table2, type Table2Options } from "../../../lib/report/table2.js";
import { endToEndLines, prefillLines } from "../../../lib/report/verification.js";
import { baselineResults, endToEndResults, measured, prefillResults, seedTable } from "../bench/records.js";

const sourcesOf = (...results: Results[]): Source[] => results.map((r) => ({ file: `${r.metadata.config}.json`, results: r }));
const markdown = (options: Partial<Table2Options> & { sources: Source[] }) => toMarkdown(table2({ mode: "end2end", ...options }));
const tableLines = (text: string) => text.split("\n").filter((line) => line.startsWith("|"));

test("the table is exactly the seed's", () => {
  const sources = sourcesOf(seedTable.keep07, seedTable.keep09, seedTable.keep08);
  // The seed's example prints reductions of the ratios; ours are of the tokens that were kept.
  assert.deepEqual(tableLines(markdown({ sources })), [
    "| Length | Method | Prefill (s) | Decode (s) | Total (s) | Prefill Speedup (×) | End2End Speedup (×) | KV Reduction (%) |",
    "|--------|--------|-------------|------------|----------|---------------------|---------------------|------------------|",
    "| 4K     | Baseline | 0.3100 | 3.3900 | 3.7000 | - | - | - |",
    "| 4K     | SDTP (keep09) | 0.2000 | 3.2300 | 3.4300 | 1.55 | 1.08 | 10.01% |",
    "| 4K     | SDTP (keep08) | 0.1800 | 3.1000 | 3.2800 | 1.72 | 1.13 | 20.02% |",
    "| 4K     | SDTP (keep07) | 0.1500 | 2.8500 | 3.0000 | 2.07 | 1.23 | 30.00% |",
  ]);
});

test("the verification lines are exactly the seed's", () => {
  const results = endToEndResults("keep07", { 4096: { baseline: [0.7493, 2.9507], sdtp: [0.4998, 2.5002], kept: 2867 } });
  const entry = results.results["4096"]!;
  assert.ok("sdtp" in entry);
  assert.equal(
    endToEndLines(4096, entry),
    `[Length 4096] End2End Results:
  Baseline: prefill=0.7493s, decode=2.9507s, total=3.7000s
  SDTP:     prefill=0.4998s, decode=2.5002s, total=3.0000s
  Speedup:  prefill=1.50x, decode=1.18x, total=1.23x
  KV Cache: baseline=4096, sdtp=2867, reduction=30.00%`,
  );
});

test("unequal layers are verified by their mean", () => {
  const results = endToEndResults("keep07", { 4096: { baseline: [1, 1], sdtp: [1, 1], kept: 2867 } });
  const entry = results.results["4096"]!;
  assert.ok("sdtp" in entry);
  const retained = { ...entry, sdtp: { ...entry.sdtp, kv_lens_after_prefill: [4096, 2867] }, kv_reduction: 0.15 };
  assert.match(endToEndLines(4096, retained), /sdtp=3482, reduction=15\.00%$/);
});

test("the lines of prefill alone", () => {
  const entry = prefillResults("keep07", { 1024: { baseline: 2, sdtp: 1, kept: 716 } }).results["1024"]!;
  assert.ok("sdtp" in entry);
  assert.equal(prefillLines(1024, entry), "[Length 1024] Prefill Results:\n  Baseline: prefill=2.0000s\n  SDTP:     prefill=1.0000s\n  Speedup:  prefill=2.00x");
});

test("lengths go up, and configurations stand in the presets' order at each", () => {
  const times = { 16384: { baseline: [2, 2], sdtp: [1, 1], kept: 8000 }, 1000: { baseline: [2, 2], sdtp: [1, 1], kept: 500 } } satisfies Parameters<typeof endToEndResults>[1];
  const table = table2({ mode: "end2end", sources: sourcesOf(endToEndResults("zebra", times), endToEndResults("sdtp", times), endToEndResults("keep09", times)) });
  assert.deepEqual(
    table.rows.map(({ length, config }) => `${length} ${config}`),
    [1000, 16384].flatMap((length) => ["baseline", "keep09", "sdtp", "zebra"].map((config) => `${length} ${config}`)),
  );
  const first = tableLines(toMarkdown(table)).map((line) => line.split(" | ")[0]);
  assert.deepEqual(first.slice(2), [...Array(4).fill("| 1000  "), ...Array(4).fill("| 16K   ")]);
});

test("what holds for the table stands above it, and differences are attributed", () => {
  const sdtp = endToEndResults("sdtp", { 4096: { baseline: [0.31, 3.39], sdtp: [0.1, 2], kept: 1425 } }, { scorer: "learned", kv_policy: "retain" });
  assert.equal(markdown({ sources: sourcesOf(seedTable.keep07) }).split("\n")[0], "Model tiny, device cpu, dtype fp32, threads 2, scorer norm, KV policy evict.");
  const both = markdown({ sources: sourcesOf(seedTable.keep07, sdtp) });
  assert.match(both, /^Model tiny, .* scorer norm \(keep07\) and learned \(sdtp\), KV policy evict \(keep07\) and retain \(sdtp\)\.\n/);
  const computed = endToEndResults("keep07", { 4096: { baseline: [1, 1], sdtp: [1, 1], kept: 2867 } }, { dtype: "fp16", compute_dtype: "fp32", kv_dtype: "int8" });
  assert.match(markdown({ sources: sourcesOf(computed) }), /^Model tiny, device cpu, dtype fp16 \(computed in fp32\), KV cache int8, threads 2,/);
  const [row] = records(table2({ mode: "end2end", sources: sourcesOf(computed) }));
  assert.deepEqual([row!["dtype"], row!["compute_dtype"], row!["kv_dtype"]], ["fp16", "fp32", "int8"]);
  const short = endToEndResults("keep07", { 4096: { baseline: [1, 1], sdtp: [1, 1], kept: 2867 } }, { max_new_tokens: 8 });
  assert.match(markdown({ sources: sourcesOf(short) }), /threads 2, new tokens 8, scorer/);
  const synthetic = endToEndResults("keep07", { 4096: { baseline: [1, 1], sdtp: [1, 1], kept: 2867 } }, { synthetic_weights: true });
  assert.match(markdown({ sources: sourcesOf(synthetic) }), /Synthetic weights: latency only/);
});

test("scorers and KV policies that would look alike are named", () => {
  const keep07 = (fields: object) => endToEndResults("keep07", { 4096: { baseline: [0.31, 3.39], sdtp: [0.15, 2.85], kept: 2867 } }, fields);
  const methods = (...results: Results[]) => table2({ mode: "end2end", sources: sourcesOf(...results) }).rows.map(({ method }) => method);
  assert.deepEqual(methods(keep07({ scorer: "norm" }), keep07({ scorer: "random" })), ["Baseline", "SDTP (keep07, norm)", "SDTP (keep07, random)"]);
  assert.deepEqual(methods(keep07({}), keep07({ kv_policy: "retain" }), seedTable.keep09), ["Baseline", "SDTP (keep09)", "SDTP (keep07, evict)", "SDTP (keep07, retain)"]);
  assert.match(markdown({ sources: sourcesOf(keep07({ scorer: "norm" }), keep07({ scorer: "random" })) }), /, scorer norm and random, KV policy evict\.\n/);
  assert.throws(() => methods(keep07({ scorer: "norm" }), keep07({ scorer: "random" }), keep07({ scorer: "random" })), /config: keep07, random \(is in /);
});

test("a baseline from another run is shown with a warning, and speedups stay those of the row's own run", () => {
  const baseline = { file: "baseline.json", results: baselineResults({ 4096: [0.5, 4] }) };
  const text = markdown({ baseline, sources: sourcesOf(seedTable.keep07) });
  assert.match(text, /\| 4K     \| Baseline \| 0\.5000 \| 4\.0000 \| 4\.5000 \|/);
  assert.match(text, /\| SDTP \(keep07\) \| 0\.1500 \| 2\.8500 \| 3\.0000 \| 2\.07 \| 1\.23 \|/);
  assert.match(text, /> Warning: 4K, SDTP \(keep07\): speedups are against the baseline measured with it \(prefill 0\.3100 s, total 3\.7000 s, in keep07\.json\); the baseline shown is from another run \(prefill 0\.5000 s, total 4\.5000 s, in baseline\.json\)/);
  const same = { file: "baseline.json", results: baselineResults({ 4096: [0.31, 3.39] }) };
  assert.doesNotMatch(markdown({ baseline: same, sources: sourcesOf(seedTable.keep07) }), /Warning/);
});

test("the baseline may come from a configuration's file, and that file need not be a row", () => {
  const baseline = { file: "keep09.json", results: seedTable.keep09 };
  assert.deepEqual(table2({ mode: "end2end", baseline, sources: sourcesOf(seedTable.keep07) }).rows.map(({ config }) => config), ["baseline", "keep07"]);
  assert.deepEqual(table2({ mode: "end2end", baseline, sources: [] }).rows.map(({ config }) => config), ["baseline"]);
});

test("what the measurement doubts, the table repeats", () => {
  const noisy = endToEndResults("keep07", { 4096: { baseline: [1, 1], sdtp: [1, 0.5], kept: 2867 } });
  assert.match(markdown({ sources: sourcesOf(noisy) }), /\| 1\.00\* \| 1\.33 \|[^]*\n\\\* within noise: the 95 % interval of the speedup includes 1\.\n/);
});

test("only the lengths asked for are shown; those that are missing are named", () => {
  const two = endToEndResults("keep07", { 1024: { baseline: [1, 1], sdtp: [0.5, 0.5], kept: 716 }, 4096: { baseline: [1, 1], sdtp: [0.5, 0.5], kept: 2867 } });
  const table = table2({ mode: "end2end", sources: sourcesOf(two), lengths: [4096, 8192] });
  assert.deepEqual([...new Set(table.rows.map(({ length }) => length))], [4096]);
  assert.deepEqual(table.warnings, ["SDTP (keep07): no length 8192 in keep07.json"]);
  assert.throws(() => table2({ mode: "end2end", sources: sourcesOf(two), lengths: [2048] }), /lengths: 2048 \(none is in keep07\.json\)/);
});

test("files that do not belong in one table are refused by name", () => {
  const other = (fields: object) => endToEndResults("keep08", { 4096: { baseline: [1, 1], sdtp: [1, 1], kept: 3276 } }, fields);
  const together = (results: Results) => () => table2({ mode: "end2end", sources: sourcesOf(seedTable.keep07, results) });
  assert.throws(together(other({ model: "big" })), /results file: keep08\.json: metadata\.model: big|results file: keep07\.json: metadata\.model: tiny \(must be big as in keep08\.json/);
  assert.throws(together(other({ model_hash: "beef" })), /metadata\.model_hash: .*the weights or the configuration differ/);
  assert.throws(together(seedTable.keep07), /config: keep07 \(is in keep07\.json and in keep07\.json/);
  assert.throws(together(prefillResults("keep08", { 4096: { baseline: 2, sdtp: 1, kept: 3276 } })), /keep08\.json: metadata\.benchmark_mode: "prefill" \(must be "end2end"/);
  assert.throws(() => table2({ mode: "end2end", sources: [] }), /results: none/);
  assert.throws(together(other({ device: "webgpu" })), /keep08\.json: metadata\.device: webgpu \(must be cpu as in keep07\.json: one table shows one device\)/);
  assert.throws(together(other({ dtype: "int8" })), /keep08\.json: metadata\.dtype: int8 \(must be fp32 as in keep07\.json: one table shows one dtype\)/);
  assert.throws(together(other({ kv_dtype: "int8" })), /keep08\.json: metadata\.kv_dtype: int8 \(must be fp32 as in keep07\.json: one table shows one KV dtype\)/);
  assert.match(markdown({ sources: sourcesOf(seedTable.keep07, other({ threads: 1 })) }), /Warning: rows differ in threads \(1, 2\)/);
});

test("a prefill table is made from prefill files, and from end-to-end files too", () => {
  const alone = prefillResults("keep07", { 4096: { baseline: 0.31, sdtp: 0.15, kept: 2867 } });
  const expected = ["| 4K     | Baseline | 0.3100 | - | - |", "| 4K     | SDTP (keep07) | 0.1500 | 2.07 | 30.00% |"];
  for (const results of [alone, seedTable.keep07]) {
    const lines = tableLines(markdown({ mode: "prefill", sources: sourcesOf(results) }));
    assert.equal(lines[0], "| Length | Method | Prefill (s) | Prefill Speedup (×) | KV Reduction (%) |");
    assert.deepEqual(lines.slice(2), expected);
  }
});

test("the paper's columns show FLOPs, memory and what part of the ideal saving was reached", () => {
  const results = structuredClone(seedTable.keep07);
  const entry = results.results["4096"]!;
  assert.ok("sdtp" in entry);
  entry.baseline = { ...measured(2, 2, [4096]), flops: { exact: { prefill: 40e12, end2end: 44e12 } }, peak_memory_bytes: 3e9 };
  entry.sdtp = { ...entry.sdtp, prefill_latency_seconds: 1.25, flops: { exact: { prefill: 20e12, end2end: 22e12 } }, peak_memory_bytes: 2.5e9 };
  const [, row] = records(table2({ mode: "end2end", sources: sourcesOf(results), columns: "paper" }));
  assert.equal(row!["ideal_prefill_speedup"], 2);
  assert.equal(row!["prefill_speedup"], 1.6);
  assert.equal(row!["ideal_saving_reached"], 0.75); // 37.5 % of the time saved, where half of the FLOPs were
  const text = markdown({ sources: sourcesOf(results), columns: "paper" });
  assert.match(text, /\| 4K     \| SDTP \(keep07\) \| 20\.00 \| 22\.00 \| 1\.2500 \| 3\.0000 \| 1\.60 \| 1\.33 \| 2\.50 \| 2\.00 \| 75\.00% \| 30\.00% \|/);
  assert.match(markdown({ sources: sourcesOf(seedTable.keep07), columns: "paper" }), /\| SDTP \(keep07\) \| - \| - \| 0\.1500/);
});

test("the paper's speedups stand beside measured ones, and its other lengths below", () => {
  const table = table2({ mode: "end2end", sources: sourcesOf(seedTable.keep07), compare: "paper", lengths: [4096, 131072] });
  const rows = records(table);
  assert.deepEqual(rows.map((row) => row["method"]), ["Baseline", "SDTP (keep07)", "Baseline (paper)", "SDTP (paper)"]);
  assert.equal(rows[1]!["paper_prefill_speedup"], 0.31 / 0.2);
  assert.equal(rows[1]!["paper_end2end_speedup"], 3.7 / 3.43);
  assert.equal(rows[3]!["prefill_speedup"], 29.3 / 13.6);
  // Its FLOPs are in its own counting.
  const flops = (counting: "exact" | "paper") => records(table2({ mode: "end2end", sources: sourcesOf(seedTable.keep07), compare: "paper", columns: "paper", counting, lengths: [4096, 131072] }))[3]!["prefill_flops"];
  assert.deepEqual([flops("exact"), flops("paper")], [null, 4678.81e12]);
  assert.match(table.above.at(-1)!, /^Paper: .*arXiv:2504\.04514v2/);
});

test("published results alone make a table", () => {
  const paper = table2({ mode: "end2end", compare: "paper", columns: "paper" });
  assert.equal(paper.rows.length, 12);
  assert.deepEqual([records(paper)[1]!["prefill_flops"], paper.columns[2]!.label], [47.81e12, "Prefill TFLOPs (paper)"]);
  assert.ok(!paper.columns.some(({ key }) => key.startsWith("paper_")));
  const python = table2({ mode: "end2end", compare: "python", lengths: [1024] });
  assert.deepEqual(python.rows.map(({ config, kvReduction }) => [config, kvReduction]), [["cascade09", 0.5723], ["cascade08", 0.833], ["cascade07", 0.9443]]);
  assert.throws(() => table2({ mode: "end2end", compare: "paper", lengths: [7] }), /lengths: 7 \(neither measured nor published\)/);
});
