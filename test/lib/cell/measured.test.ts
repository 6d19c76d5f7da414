import assert from "node:assert/strict";
import { mkdtempSync, rmSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { frame } from "../../../lib/cell/frame.js";
import * as chart from "../../../lib/cell/chart.js";
import { sources } from "../../../lib/cell/measured.js";
import { readResults, writeResults } from "../../../lib/cell/results.js";
import { compare, table2, writeTable } from "../../../lib/cell/tables.js";
import { prefillResults, seedTable } from "../bench/records.js";
import { shownAs } from "./fake-notebook.js";

const files = Object.entries(seedTable).map(([config, results]) => ({ file: `${config}.json`, results }));

test("results from files, by configuration, or of a profile are the same to every function", () => {
  const byConfig = new Map(Object.entries(seedTable));
  for (const measured of [files, byConfig, { results: byConfig, errors: [] }]) {
    assert.deepEqual(sources(measured).map(({ results }) => results.metadata.config), ["keep09", "keep08", "keep07"]);
    assert.equal(table2(measured).rows.length, 4);
  }
  for (const wrong of [[1, 2], [{ length: 4096 }], {}]) assert.throws(() => sources(wrong as never), /^Error: measured: \(must be rows of a sweep/);
});

test("charts show themselves as Plotly figures, and say their figures where there is no Plotly", () => {
  for (const draw of [chart.speedup, chart.latency]) {
    const drawn = draw(files);
    const bundle = (drawn as unknown as { [key: symbol]: () => Record<string, unknown> })[Symbol.for("Jupyter.display")]!();
    assert.deepEqual(Object.keys(bundle).sort(), ["application/vnd.plotly.v1+json", "text/html", "text/plain"]);
    assert.match(shownAs(drawn, "text/plain"), /keep07/);
  }
  assert.throws(() => chart.kvBytes(files), /chart: no KV bytes in the rows/);
});

test("both modes of one configuration are written beside each other", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-cell-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const alone = { file: "prefill", results: prefillResults("keep07", { 4096: { baseline: 2, sdtp: 1, kept: 2867 } }) };
  assert.deepEqual(await writeResults(folder, [files[2]!, alone]), ["latency_results_keep07.json", "latency_prefill_keep07.json"].map((name) => join(folder, name)));
  assert.equal((await readResults(folder, { mode: "prefill" }))[0]!.results.metadata.benchmark_mode, "prefill");
  await writeTable(join(folder, "t.csv"), table2(files));
  assert.match(readFileSync(join(folder, "t.csv"), "utf8"), /^length,method,prefill_seconds,/);
  await assert.rejects(writeTable(join(folder, "t.doc"), table2(files)), /output: .*t\.doc \(must end in \.md/);
  await assert.rejects(readResults(join(folder, "none.json")), /none\.json \(cannot be read: ENOENT\)/);
});

test("a comparison shows its table and holds its figures", () => {
  const compared = compare(files, files);
  assert.equal(compared.comparisons.length, 12);
  assert.match(shownAs(compared, "text/plain"), /0 of 12 latencies differ beyond noise/);
});

test("a data frame has a column a plain field, nested ones too", () => {
  const df = frame([{ a: 1, b: { c: "x", samples: [1, 2] }, warnings: ["p", "q"] }, { a: 2, d: null }]);
  assert.deepEqual(df.columns, ["a", "b.c", "warnings", "d"]);
  assert.deepEqual(df.values, [[1, "x", "p; q", null], [2, null, null, null]]);
  assert.throws(() => frame([]), /frame: no rows/);
});
