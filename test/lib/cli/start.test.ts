import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { sdtp, temporaryFolder } from "./sdtp.js";

test("the main job prints lines and table and writes its files; a report from them is the same", async (t) => {
  const cwd = temporaryFolder(t);
  const { folder, remove } = tinyCheckpoint("qwen2");
  t.after(remove);
  const { code, stdout, stderr } = await sdtp(cwd, "start", "--model", folder, "--lengths", "40", "--max-new-tokens", "2", "--repeats", "2", "--threads", "1");
  assert.equal(code, 0, stderr);
  assert.deepEqual(readdirSync(join(cwd, "results")).sort(), [...["baseline", "keep07", "keep08", "keep09"].map((config) => `latency_results_${config}.json`), "table2_report.md"]);
  const report = readFileSync(join(cwd, "results", "table2_report.md"), "utf8");
  assert.ok(stdout.includes(report));
  assert.match(stdout, /^ {2}KV Cache: baseline=40, sdtp=28, reduction=30\.00%$/m);
  assert.match(report, /^\| Length \| Method \| Prefill \(s\) \| Decode \(s\) \| Total \(s\) \| Prefill Speedup \(×\) \| End2End Speedup \(×\) \| KV Reduction \(%\) \|\n\|-{8}\|-{8}\|/m);
  assert.match(report, /^\| 40 {5}\| SDTP \(keep09\) \| \d+\.\d{4} \| .* \| 10\.00% \|$/m);
  assert.match(report, /^Model .*, device cpu, dtype fp32, threads 1, new tokens 2, scorer recency, KV policy evict\.$/m);
  assert.match(stderr, /results\/table2_report\.md and results\/latency_results_<config>\.json hold this table and its samples/);
  assert.ok((await sdtp(cwd, "report-table2", "results")).stdout === report);
});
