import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { profile, sweep } from "../../../lib/cell/bench.js";
import { speedup } from "../../../lib/cell/chart.js";
import { frame } from "../../../lib/cell/frame.js";
import { readResults, writeResults } from "../../../lib/cell/results.js";
import { compare, sweepTable, table2, verification } from "../../../lib/cell/tables.js";
import type { SweepEnd, SweepRow } from "../../../lib/bench/sweep/sweep.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { fakeNotebook, shownAs } from "./fake-notebook.js";

const quick = { threads: 1, repeats: 1, warmup: 0, memory: false, maxNewTokens: 2 } as const;

function inFolder(t: TestContext): { model: string; folder: string } {
  const { folder: model, remove } = tinyCheckpoint("llama");
  const folder = mkdtempSync(join(tmpdir(), "sdtp-cell-"));
  t.after(() => (remove(), rmSync(folder, { recursive: true, force: true })));
  return { model, folder };
}

test("profile in a cell: progress while it measures, then Table 2, and what it gave goes into everything else", async (t) => {
  const { model, folder } = inFolder(t);
  const displays = fakeNotebook(t);
  const shares: number[] = [];
  const measured = await profile({ ...quick, model, configs: ["keep07"], lengths: [40, 60], onProgress: (share) => shares.push(share) });
  assert.equal(shares.at(-1), 1);
  assert.equal(displays.length, 1);
  assert.match(displays[0]!.states.at(-1)!["text/plain"]!, /^measured \(0:\d\d\)$/);
  assert.match(shownAs(measured, "text/plain"), /\n\| 60 +\| SDTP \(keep07\) \| /);
  assert.match(shownAs(table2(measured), "text/latex"), /\\toprule/);
  assert.match(verification(measured).text, /KV Cache: baseline=60, sdtp=42, reduction=30\.00%/);
  assert.equal(speedup(measured).data.length, 2);

  const files = await writeResults(folder, measured);
  assert.deepEqual(files, [join(folder, "latency_results_keep07.json")]);
  const read = await readResults(folder);
  assert.deepEqual(read[0]!.results, JSON.parse(JSON.stringify(measured.results.get("keep07"))));
  assert.equal(compare(measured, read).comparisons.every(({ ratio }) => ratio === 1), true);
  assert.equal((await readResults(files[0]!))[0]!.file, files[0]);
});

test("a sweep in a cell: rows as they come, a table that fills, and how it ended; the second time all is found", async (t) => {
  const { model, folder } = inFolder(t);
  const displays = fakeNotebook(t);
  const options = { ...quick, threads: [1], models: [model], configs: ["baseline", "keep07"], lengths: [40], scorers: ["norm", "recency"], folder: join(folder, "sweep"), mode: "prefill" } as const;
  const all = async () => {
    const rows: SweepRow[] = [];
    const cells = sweep(options);
    let step = await cells.next();
    for (; !step.done; step = await cells.next()) rows.push(step.value);
    return { rows, end: step.value as SweepEnd };
  };
  const { rows, end } = await all();
  assert.deepEqual(rows.map(({ config, scorer }) => [config, scorer]), [["baseline", null], ["keep07", "norm"], ["baseline", null], ["keep07", "recency"]]);
  assert.deepEqual(end, { cells: 2, measured: 2, found: 0, left: 0 });
  assert.match(displays[0]!.states.at(-1)!["text/plain"]!, /^2 cells measured, 0 found \(0:\d\d\)\nModel .*\n\n(\|.*\n){6}/);
  const again = await all();
  assert.deepEqual(again.end, { cells: 2, measured: 0, found: 2, left: 0 });
  assert.deepEqual(again.rows, JSON.parse(JSON.stringify(rows)));

  assert.deepEqual(table2(rows).rows.map(({ method }) => method), ["Baseline", "SDTP (keep07, norm)", "SDTP (keep07, recency)"]);
  assert.deepEqual(verification(rows).lines.map((lines) => lines.split("\n")[0]), ["SDTP (keep07, norm)", "SDTP (keep07, recency)"]);
  assert.match(sweepTable(rows).markdown, /\| Scorer \| Length \|/);
  await assert.rejects(writeResults(join(folder, "out"), rows), /config: keep07 \(is there twice, .*keep07, recency: a folder holds one file of each/);
  const table = frame(rows);
  assert.deepEqual([table.shape[0], table.columns.includes("prefill_speedup"), table.columns.includes("entry")], [4, true, false]);
});

test("a sweep that is left early or stopped says what is kept", async (t) => {
  const { model, folder } = inFolder(t);
  const displays = fakeNotebook(t);
  const options = { ...quick, threads: [1], models: [model], configs: ["baseline"], lengths: [40, 50], folder, mode: "prefill" } as const;
  for await (const row of sweep(options)) if (row.length === 40) break;
  assert.match(displays[0]!.states.at(-1)!["text/plain"]!, /^stopped after 1 rows; what was measured is kept/);
  const controller = new AbortController();
  const rows: SweepRow[] = [];
  await assert.rejects(async () => {
    for await (const row of sweep({ ...options, signal: controller.signal })) (rows.push(row), controller.abort());
  }, { name: "AbortError" });
  assert.equal(rows.length, 1);
});

test("what cannot be measured is a line of the profile, and bad input is refused before anything shows", async (t) => {
  const { model } = inFolder(t);
  const displays = fakeNotebook(t);
  const found = await profile({ ...quick, model, configs: [{ name: "mine", baseDepth: 3, stages: [{ afterBlock: 0, ratio: 0.5 }] }], lengths: [40], scorer: "learned:missing.safetensors" }).catch((error: Error) => error);
  assert.match(String(found), /scorer learned: missing\.safetensors does not exist/);
  assert.match(displays[0]!.states.at(-1)!["text/plain"]!, /^stopped/);
});
