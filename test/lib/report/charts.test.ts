import assert from "node:assert/strict";
import { test } from "node:test";
import { kvBytesChart, latencyChart, qualityChart, speedupChart } from "../../../lib/report/charts.js";
import { table2 } from "../../../lib/report/table2.js";
import { endToEndResults, seedTable } from "../bench/records.js";

const longer = { 4096: { baseline: [0.31, 3.39], sdtp: [0.15, 2.85], kept: 2867 }, 512: { baseline: [0.1, 1], sdtp: [0.08, 0.9], kept: 358 } } satisfies Parameters<typeof endToEndResults>[1];
const results = endToEndResults("keep07", longer);
for (const [length, entry] of Object.entries(results.results)) {
  assert.ok("sdtp" in entry);
  entry.baseline.kv_bytes_after_prefill = Number(length) * 1000;
  entry.sdtp.kv_bytes_after_prefill = entry.sdtp.tokens_kept * 1000;
}
const { rows } = table2({ mode: "end2end", sources: [{ file: "a", results }, { file: "b", results: seedTable.keep09 }] });

test("speedups: a line a configuration and kind, over ascending lengths", () => {
  const { data, layout } = speedupChart(rows);
  assert.deepEqual(data.map(({ name }) => name), ["SDTP (keep09), prefill", "SDTP (keep07), prefill", "SDTP (keep09), end to end", "SDTP (keep07), end to end"]);
  const line = data[1] as { x: string[]; y: number[]; line: { color: string } };
  assert.deepEqual(line.x, ["512", "4K"]);
  assert.deepEqual(line.y, [0.1 / 0.08, 0.31 / 0.15]);
  assert.equal(line.line.color, (data[3] as typeof line).line.color);
  assert.deepEqual(layout.xaxis?.categoryarray, ["512", "4K"]);
});

test("every chart says under what conditions it was measured", () => {
  for (const chart of [speedupChart, latencyChart, kvBytesChart]) {
    const { title } = chart(rows).layout;
    assert.match((title as { subtitle: { text: string } }).subtitle.text, /^Model tiny, device cpu, dtype fp32, threads 2, scorer norm, KV policy<br>evict\.$/);
  }
});

test("latency: prefill and decode stack to the total, a bar a method at each length", () => {
  const { data, layout } = latencyChart(rows);
  assert.equal(layout.barmode, "stack");
  const [prefill, decode] = data as { name: string; x: [string[], string[]]; y: number[] }[];
  assert.deepEqual([prefill!.name, decode!.name], ["prefill", "decode"]);
  assert.deepEqual(prefill!.x, [["512", "512", "4K", "4K", "4K"], ["baseline", "keep07", "baseline", "keep09", "keep07"]]);
  prefill!.y.forEach((seconds, i) => assert.equal(seconds + decode!.y[i]!, rows[i]!.total));
});

test("KV bytes: the baseline and what has them, in MB", () => {
  const { data } = kvBytesChart(rows);
  assert.deepEqual(data.map(({ name }) => name), ["Baseline", "SDTP (keep07)"]);
  assert.deepEqual((data[1] as { y: number[] }).y, [0.358, 2.867]);
});

test("quality against speedup: a symbol a variant, intervals as unequal bars", () => {
  const { data, layout } = qualityChart(
    [
      { config: "keep07", quality: 0.9, speedup: 1.3, variant: "learned", interval: { low: 0.8, high: 0.95 } },
      { config: "sdtp", quality: 0.7, speedup: 1.6, variant: "learned" },
      { config: "keep07", quality: 0.3, speedup: 1.3, variant: "random" },
    ],
    { qualityLabel: "retrieval accuracy", conditions: "Model tiny." },
  );
  const [learned, random] = data as { name: string; x: number[]; text: string[]; marker: { symbol: string }; error_y?: { array: number[]; arrayminus: number[] } }[];
  assert.deepEqual([learned!.name, random!.name], ["learned", "random"]);
  assert.notEqual(learned!.marker.symbol, random!.marker.symbol);
  assert.deepEqual(learned!.error_y!.array.map((x) => x.toFixed(2)), ["0.05", "0.00"]);
  assert.deepEqual(learned!.error_y!.arrayminus.map((x) => x.toFixed(2)), ["0.10", "0.00"]);
  assert.equal(random!.error_y, undefined);
  assert.equal(layout.showlegend, true);
});

test("figures are plain values", () => {
  for (const chart of [speedupChart, latencyChart, kvBytesChart]) {
    const figure = chart(rows);
    assert.deepEqual(JSON.parse(JSON.stringify(figure)), figure);
  }
});

test("rows without what is to be drawn are refused", () => {
  const baseline = rows.filter(({ config }) => config === "baseline");
  assert.throws(() => speedupChart(baseline), /chart: no speedup in the rows/);
  assert.throws(() => latencyChart([]), /chart: no latency/);
  assert.throws(() => kvBytesChart(rows.filter(({ config }) => config === "keep09")), /chart: no KV bytes/);
  assert.throws(() => qualityChart([], { qualityLabel: "x", conditions: "" }), /chart: no quality/);
});
