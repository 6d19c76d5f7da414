import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { resultsFileName, writeResults } from "../../../lib/bench/results.js";
import { baselineResults, prefillResults, seedTable } from "../bench/records.js";
import { command } from "../bench/command.js";

/** A folder with the seed's three configurations, a baseline of another run, and one prefill file. */
async function resultsFolder(t: TestContext): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-report-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const results = join(folder, "results");
  const prefill = prefillResults("keep07", { 1024: { baseline: 2, sdtp: 1, kept: 716 } });
  for (const file of [...Object.values(seedTable), baselineResults({ 4096: [0.5, 4] }), prefill]) {
    await writeResults(join(results, resultsFileName(file.metadata.benchmark_mode, file.metadata.config)), file);
  }
  return folder;
}

const run = (cwd: string, ...args: string[]) => command("report-table2", args, cwd);

test("the seed's command writes the seed's table", async (t) => {
  const cwd = await resultsFolder(t);
  const file = (config: string) => `results/latency_results_${config}.json`;
  const { status, stdout, stderr } = run(cwd, "--baseline", file("keep09"), "--sdtp09", file("keep09"), "--sdtp08", file("keep08"), "--sdtp07", file("keep07"), "--mode", "end2end", "--lengths", "1024", "4096", "--output", "results/deep/table2_report.md");
  assert.equal(status, 0, stderr);
  const written = readFileSync(join(cwd, "results/deep/table2_report.md"), "utf8");
  assert.equal(stdout, written);
  assert.match(written, /\| 4K     \| SDTP \(keep07\) \| 0\.1500 \| 2\.8500 \| 3\.0000 \| 2\.07 \| 1\.23 \| 30\.00% \|/);
  assert.match(stderr, /written: results\/deep\/table2_report\.md/);
  assert.match(stderr, /warning: SDTP \(keep09\): no length 1024/);
});

test("a folder alone is enough, and the usual one is taken where none is named", async (t) => {
  const cwd = await resultsFolder(t);
  const [named, usual] = [run(cwd, "results/"), run(cwd)];
  assert.equal(named.status, 0, named.stderr);
  assert.equal(named.stdout.replaceAll("results//", "results/"), usual.stdout);
  assert.match(named.stdout, /Baseline \| 0\.5000/);
  assert.match(named.stdout, /Warning: 4K, SDTP \(keep09\): speedups are against the baseline measured with it/);
  assert.match(run(cwd, "results", "--mode", "prefill").stdout, /\| 1K     \| SDTP \(keep07\) \| 1\.0000 \| 2\.00 \|/);
});

test("--json prints JSON alone", async (t) => {
  const cwd = await resultsFolder(t);
  const { stdout, stderr } = run(cwd, "results", "--json", "--output", "t.csv");
  const { rows, warnings } = JSON.parse(stdout);
  assert.equal(rows.length, 4);
  assert.equal(rows[1].prefill_speedup, 0.31 / 0.2);
  assert.equal(warnings.length, 3);
  assert.equal(stderr, "");
  assert.match(readFileSync(join(cwd, "t.csv"), "utf8"), /^length,method,prefill_seconds,/);
});

test("other presets, formats and published results", async (t) => {
  const cwd = await resultsFolder(t);
  assert.match(run(cwd, "--sdtp", "keep08=results/latency_results_keep08.json", "--format", "latex").stdout, /\\toprule/);
  assert.match(run(cwd, "results", "--compare", "paper", "--lengths", "4096").stdout, /Paper Prefill Speedup/);
  const elsewhere = mkdtempSync(join(tmpdir(), "sdtp-empty-"));
  t.after(() => rmSync(elsewhere, { recursive: true, force: true }));
  assert.match(run(elsewhere, "--compare", "paper").stdout, /\| 128K   \| SDTP \(paper\) \| 13\.6000/);
});

test("bad input is one clear line and no table", async (t) => {
  const cwd = await resultsFolder(t);
  writeFileSync(join(cwd, "half.json"), "{");
  const wrong: [args: string[], message: RegExp][] = [
    [["--sdtp07", "results/latency_results_keep08.json"], /results file: results\/latency_results_keep08\.json: metadata\.config: keep08 \(must be keep07, as the option says\)/],
    [["--sdtp", "keep07"], /--sdtp: keep07 \(must be NAME=FILE\)/],
    [["--baseline", "half.json"], /results file: half\.json \(is not JSON/],
    [["--baseline", "none.json"], /results file: none\.json \(cannot be read: ENOENT\)/],
    [["nowhere"], /results folder: nowhere/],
    [["nowhere", "--compare", "paper"], /results folder: nowhere/],
    [["results", "--lengths", "4096", "1024"], /lengths: 1024 after 4096 \(must ascend\)/],
    [["results", "--lengths", "512"], /lengths: 512 \(none is in /],
    [["results", "--output", "table"], /output: table \(must end in/],
    [["results", "--output", "half.json/t.md"], /output: half\.json\/t\.md \(cannot be written: (ENOTDIR|EEXIST)\)/],
  ];
  for (const [args, message] of wrong) {
    const { status, stdout, stderr } = run(cwd, ...args);
    assert.equal(status, 1, args.join(" "));
    assert.match(stderr, message);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    assert.equal(stdout, "");
  }
  assert.equal(existsSync(join(cwd, "table")), false);
});

test("an output folder that cannot be written is named", { skip: process.getuid?.() === 0 && "root may write everywhere" }, async (t) => {
  const cwd = await resultsFolder(t);
  chmodSync(cwd, 0o500);
  t.after(() => chmodSync(cwd, 0o700));
  assert.match(run(cwd, "results", "--output", "new/t.md").stderr, /output: new\/t\.md \(cannot be written: EACCES\)/);
});
