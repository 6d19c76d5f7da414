import assert from "node:assert/strict";
import { test } from "node:test";
import type { SweepRow } from "../../../lib/bench/sweep/row.js";
import { speedupChart } from "../../../lib/report/charts.js";
import { toCsv, toMarkdown } from "../../../lib/report/formats/index.js";
import { sourcesOf, sweepTable } from "../../../lib/report/sweep.js";
import { records } from "../../../lib/report/table.js";
import { table2 } from "../../../lib/report/table2.js";
import { baselineResults, endToEndResults } from "../bench/records.js";

function row(config: string, length: number, scorer: string | null, fields: Partial<SweepRow> = {}): SweepRow {
  const { metadata, results } = config === "baseline" ? baselineResults({ [length]: [2, 4] }) : endToEndResults(config, { [length]: { baseline: [2, 4], sdtp: [1, 3], kept: length / 2 } }, { scorer });
  return {
    model: "tiny", synthetic_weights: false, device: "cpu", dtype: "fp32", compute_dtype: "fp32", kv_dtype: "fp32", threads: 2, config, scorer, kv_policy: "evict", length,
    prefill_seconds: config === "baseline" ? 2 : 1, decode_seconds: 3, total_seconds: 4, ttft_seconds: 1, tpot_seconds: 0.5, itl_p50_seconds: 0.5, itl_p90_seconds: 0.6, itl_p99_seconds: 0.7, tokens_per_second: 2, prefill_speedup: config === "baseline" ? null : 2, end2end_speedup: 1.5, kv_reduction: 0.5,
    tokens_kept: length / 2, kv_bytes_after_prefill: 100, peak_memory_bytes: 200, machine: "a", placement: "cpu", load: 0, error: null, warnings: [], cell: "abc", entry: results[length]!, metadata, ...fields,
  };
}

test("what is the same in all rows is said once, what differs is a column", () => {
  const text = toMarkdown(sweepTable([row("baseline", 1024, null), row("keep07", 1024, "norm"), row("keep07", 1024, "recency")]));
  assert.match(text, /^Model tiny, device cpu, dtype fp32, KV dtype fp32, threads 2, KV policy evict\.\n\n\| Scorer \| Length \| Method \|/);
  assert.match(text, /\| norm \| 1K {5}\| SDTP \(keep07\) \| 1\.0000 \| 3\.0000 \| 4\.0000 \| 2\.00 \| 1\.50 \| 50\.00% \|/);
  assert.doesNotMatch(text, /Error/);
});

test("a dtype says what is computed in where that is something else; programs get both", () => {
  const table = sweepTable([row("keep07", 1024, "norm", { dtype: "fp16" }), row("keep07", 1024, "norm", { dtype: "int8", compute_dtype: "fp32 with int8 products" })]);
  assert.match(toMarkdown(table), /\n\| fp16 \(computed in fp32\) \| .*\n\| int8 \(computed in fp32 with int8 products\) \| /);
  assert.match(toMarkdown(sweepTable([row("keep07", 1024, "norm", { dtype: "fp16" })])), /^Model tiny, device cpu, dtype fp16 \(computed in fp32\), /);
  assert.deepEqual(records(table).map(({ dtype, compute_dtype }) => [dtype, compute_dtype]), [["fp16", "fp32"], ["int8", "fp32 with int8 products"]]);
});

test("errors get a column, warnings a line, synthetic weights a sentence; programs get every plain field", () => {
  const failed = row("keep07", 2048, "norm", { error: "timeout: 5 s", prefill_seconds: null, entry: null, metadata: null, synthetic_weights: true });
  const table = sweepTable([row("keep07", 1024, "norm", { warnings: ["one", "two"] }), failed]);
  const text = toMarkdown(table);
  assert.match(text, /\| timeout: 5 s \|/);
  assert.match(text, /Warning: 1K, SDTP \(keep07\): one; two/);
  assert.match(text, /Synthetic weights: latency only/);
  const [header, first] = toCsv(table).split("\n");
  for (const key of ["error", "peak_memory_bytes", "cell", "scorer"]) assert.ok(header!.split(",").includes(key), key);
  assert.doesNotMatch(header!, /entry|metadata/);
  assert.match(first!, /one; two/);
});

test("rows go into Table 2 and the charts", () => {
  const rows = [row("baseline", 1024, null), row("keep07", 1024, "norm"), row("baseline", 2048, null), row("keep07", 2048, "norm"), row("sdtp", 1024, "norm", { entry: null, metadata: null, error: "x" })];
  const table = table2({ mode: "end2end", sources: sourcesOf(rows) });
  assert.deepEqual(table.rows.map(({ config, length }) => [config, length]), [["baseline", 1024], ["keep07", 1024], ["baseline", 2048], ["keep07", 2048]]);
  assert.equal(table.rows[1]!.prefillSpeedup, 2);
  assert.equal(speedupChart(table.rows).data.length, 2);
  const several = table2({ mode: "end2end", sources: sourcesOf([...rows, row("keep07", 1024, "recency")]) });
  assert.deepEqual(several.rows.filter(({ length }) => length === 1024).map(({ method }) => method), ["Baseline", "SDTP (keep07, norm)", "SDTP (keep07, recency)"]);
  assert.deepEqual(speedupChart(several.rows).data.map(({ name }) => name), ["norm", "recency", "norm", "recency"].map((scorer, i) => `SDTP (keep07, ${scorer}), ${i < 2 ? "prefill" : "end to end"}`));
  assert.throws(() => table2({ mode: "end2end", sources: sourcesOf([...rows, row("baseline", 1024, null, { threads: 1 })]) }), /config: baseline \(is in .*; a table shows one\)/);
  assert.throws(() => sourcesOf([row("keep07", 1024, "norm"), row("keep07", 1024, "norm")]), /is there twice/);
});

test("rows of several machines say which, and that their seconds are not to be compared", () => {
  const rows = [row("keep07", 1024, "norm"), row("keep07", 2048, "norm", { machine: "b" })];
  const text = toMarkdown(sweepTable(rows));
  assert.match(text, /\| Machine \| Length \|.*\n.*\n\| a \| 1K .*\n\| b \| 2K /);
  assert.match(text, /Warning: measured on 2 machines \(a, b\): each speedup is of runs on one machine; seconds of rows of different machines are not to be compared/);
  assert.deepEqual(sourcesOf(rows).map(({ file }) => file), ["keep07, a", "keep07, b"]);
  assert.doesNotMatch(toMarkdown(sweepTable(rows.slice(0, 1))), /[Mm]achine/);
});
