// Outputs by value: what counts as a difference, and what by its nature does not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { shownIn } from "../../../../lib/notebook/compare/html.js";
import { isMeasured } from "../../../../lib/notebook/compare/measured.js";
import { outputDifferences } from "../../../../lib/notebook/compare/outputs.js";
import { sameText } from "../../../../lib/notebook/compare/text.js";
import type { MimeData, Output } from "../../../../lib/notebook/types.js";
import { failed, PNG, shows, stream } from "../notebooks.js";

const places = (before: Output[], after: Output[], rtol = 0, more = {}) => outputDifferences(before, after, { rtol, ...more }).map(({ place, before: a, after: b }) => `${place}: ${a} -> ${b}`);
const text = (a: string, b: string, rtol = 0, more = {}) => sameText(a, b, { rtol, ...more });

test("what depends on the machine is not compared: how many threads it has", () => {
  assert.ok(text("Model tiny, device cpu, threads 2, scorer learned.", "Model tiny, device cpu, threads 16, scorer learned."));
  assert.ok(!text("Model tiny, threads 2, new tokens 32.", "Model tiny, threads 2, new tokens 64."));
  assert.ok(!text("threads 2", "threads 16", 0, { exactTimes: true }));
});
const data = (before: MimeData, after: MimeData, rtol = 0) => places([shows(before)], [shows(after)], rtol);
const table = (head: string[], ...rows: (string | number)[][]) => `<table><thead><tr>${head.map((each) => `<th>${each}</th>`).join("")}</tr></thead><tbody>${rows.map((row) => `<tr>${row.map((each) => `<td>${each}</td>`).join("")}</tr>`).join("")}</tbody></table>`;

test("text: words, numbers within the tolerance, colours and gaps", () => {
  assert.ok(text("loss 0.5123\n", "loss 0.5123"));
  assert.ok(!text("loss 0.5123", "loss 0.5124"));
  assert.ok(text("loss 0.5123", "loss 0.5124", 1e-3));
  assert.ok(!text("loss 0.5123", "cost 0.5123", 1));
  assert.ok(text("\x1b[31mred\x1b[39m  1", "red 1"));
  assert.ok(!text("a 1", "a 1 2", 1), "one more number");
  assert.ok(!text("v1.2.3", "v1.2.4", 1), "a version is a word");
  assert.ok(text("1e-7 and -3", "1.0000001e-7 and -3", 1e-6));
  assert.ok(!text("3", "-3", 0.5));
  assert.ok(text("1,024 tokens", "1,025 tokens", 1e-2));
});

test("text: times and rates are not compared, other units are", () => {
  assert.ok(text("done in 12.5 ms", "done in 900 ms"));
  assert.ok(text("done in 900 ms", "done in 1.2 s"));
  assert.ok(text("40 tokens/s", "80 tokens/s"));
  assert.ok(text("3 cells (0:14)", "3 cells (1:02:03)"));
  assert.ok(!text("4 cells (0:14)", "3 cells (0:14)"));
  assert.ok(!text("12 MB", "13 MB"));
  assert.ok(!text("5 seasons", "6 seasons"));
  assert.ok(!text("12.5 ms", "900 ms", 0, { exactTimes: true }));
  assert.ok(text("a\nWarning: speedup 1.2 is within noise\nb", "a\nb"));
  assert.ok(text("3 cells measured, 0 found (0:27)\nb", "0 cells measured, 3 found (0:00)\nb"));
  assert.ok(!text("3 cells measured (of 4)\nb", "2 cells measured (of 4)\nb"));
});

test("names of measurements", () => {
  for (const name of ["Prefill (s)", "decode_seconds", "prefillSpeedup", "Speedup (×)", "Time", "tokens/s", "ms", "Peak memory (MiB)", "latency p95 [ms]", "Memory (GB)", "Ideal Saving Reached (%)"]) assert.ok(isMeasured(name), name);
  for (const name of ["Length", "min", "KV Reduction (%)", "kept", "Method", "KV bytes (MiB)", "Cache memory (GB)", "max (tokens)", "sometimes", "steps", "h"]) assert.ok(!isMeasured(name), name);
});

test("tables: cell by cell, by name; measurements, looks and order of attributes do not count", () => {
  const before = { "text/html": table(["Method", "Prefill (s)", "KV Length"], ["keep09", 0.5, 461], ["keep08", 0.4, 410]) };
  assert.deepEqual(data(before, { "text/html": `<style>td{}</style><div class="x">${table(["Method", "Prefill (s)", "KV Length"], ["keep09", 0.9, 461], ["keep08", 0.1, 410]).replaceAll("<td>", '<td style="a">')}</div>` }), []);
  assert.deepEqual(data(before, { "text/html": table(["Method", "Prefill (s)", "KV Length"], ["keep09", 0.5, 461], ["keep08", 0.4, 409]) }), ['output 1 (table, row 2 (keep08), column "KV Length"): 410 -> 409']);
  assert.deepEqual(data(before, { "text/html": table(["Method", "Prefill (s)", "KV Length"], ["keep09", 0.5, 461], ["keep08", 0.4, 409.9]) }, 1e-2), []);
  assert.deepEqual(data(before, { "text/html": table(["Method", "Prefill (s)", "KV Length"], ["keep09", "-", 461], ["keep08", 0.4, 410]) }), ['output 1 (table, row 1 (keep09), column "Prefill (s)"): 0.5 -> -'], "a measurement that is missing");
  assert.deepEqual(data(before, { "text/html": table(["Method", "Prefill (s)"], ["keep09", 0.5]) }), ["output 1 (table, its size): 2 rows, 3 columns -> 1 rows, 2 columns"]);
  assert.deepEqual(data(before, { "text/html": before["text/html"].replace("KV Length", "KV length") }).length, 1);
  assert.deepEqual(data(before, { "text/html": `${before["text/html"]}<p>A note.</p>` }), ["output 1 (text):  -> A note."]);
});

test("HTML: spans of cells, what is hidden, several tables", () => {
  const { tables, text: rest } = shownIn('<script>1</script><p>a <b>b</b></p><table><caption>C</caption><tr><th rowspan="2">n</th><th colspan="2">x</th></tr><tr><th>1</th><th>2</th></tr><tr><td>3</td><td>4</td><td>5</td></tr></table>c');
  assert.equal(rest, "a b\nc");
  assert.deepEqual(tables, [{ caption: "C", head: [["n", "x", "x"], ["n", "1", "2"]], body: [["3", "4", "5"]] }]);
});

test("JSON, charts by their data, pictures left out", () => {
  assert.deepEqual(data({ "application/json": { a: [1, { b: 2 }] } }, { "application/json": { a: [1, { b: 3 }] } }), ["output 1 (JSON, a[1].b): 2 -> 3"]);
  assert.deepEqual(data({ "application/json": { a: [1, 2] } }, { "application/json": { a: [1, 2.0000001] } }, 1e-6), []);
  const chart = (y: number[], title = "loss", color = "red") => ({ "application/vnd.plotly.v1+json": { data: [{ type: "scatter", x: [1, 2], y, marker: { color } }], layout: { yaxis: { title: { text: title } } } }, "text/plain": "Plotly figure" });
  assert.deepEqual(data(chart([1, 2]), { ...chart([1, 2], "loss", "blue"), "text/html": "<script>x</script>", "image/png": PNG }), []);
  assert.deepEqual(data(chart([1, 2]), chart([1, 3])), ["output 1 (chart, data[0].y[1]): 2 -> 3"]);
  assert.deepEqual(data(chart([1, 2], "seconds"), chart([1, 3], "seconds")), []);
  assert.deepEqual(data({ "image/png": PNG, "text/plain": "a" }, { "image/png": "other", "text/plain": "b" }), []);
  assert.deepEqual(data({ "image/png": PNG }, { "text/plain": "b" }).length, 1);
  assert.deepEqual(data({ "text/plain": "a", "text/html": "<script>1</script>" }, { "text/plain": "b", "text/html": "<script>2</script>" }), ["output 1 (text): a -> b"]);
});

test("streams, errors, and how many outputs there are", () => {
  assert.deepEqual(places([stream("a\n"), stream("b\n")], [stream("a\nb\n")]), [], "in pieces");
  assert.deepEqual(places([stream("a\nb 1\nc\n")], [stream("a\nb 2\nc\n")]), ["output 1 (stdout, line 2): b 1 -> b 2"]);
  assert.deepEqual(places([stream("a")], [stream("a", "stderr")]), ["output 1: stdout: a -> stderr: a"]);
  assert.deepEqual(places([failed("TypeError", "no", ["x"])], [failed("TypeError", "no", ["y"])]), []);
  assert.deepEqual(places([failed("TypeError", "no", [])], [failed("RangeError", "no", [])]), ["output 1 (error): TypeError: no -> RangeError: no"]);
  assert.deepEqual(places([stream("a")], [shows({ "text/plain": "" }), stream("a"), shows({})]), [], "outputs that were taken back");
  assert.deepEqual(places([], [stream("new")]), ["output 1: (none) -> stdout: new"]);
  assert.deepEqual(places([stream("loss 1")], [stream("loss 2")], 0, { ignoreNumbers: true }), []);
});

test("controls: the widget's id and pictures are of one run, values and what they show are not", () => {
  const view = (id: string) => ({ "application/vnd.jupyter.widget-view+json": { version_major: 2, model_id: id }, "text/plain": "" });
  assert.deepEqual(data(view("a-1"), view("b-2")), []);
  const kept = (id: string, n: number, picture: string) => ({ "application/vnd.sdtp-notebook.control+json": { version: 1, model_id: id, values: { n }, outputs: [{ output_type: "display_data", data: { "image/png": picture, "text/plain": `n is ${n}` }, metadata: {} }] }, "text/plain": "" });
  assert.deepEqual(data(kept("a-1", 1, PNG), kept("b-2", 1, "other")), []);
  assert.equal(data(kept("a-1", 1, PNG), kept("a-1", 2, PNG)).length, 2);
});
