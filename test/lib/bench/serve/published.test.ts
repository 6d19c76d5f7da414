import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { figures, metricNames } from "../../../../lib/bench/serve/figures.js";
import type { ServeBenchResult } from "../../../../lib/bench/serve/result.js";
import { planned } from "../../../../lib/bench/serve/workload.js";
import { packageRoot } from "../../../../lib/checkpoint/package-root.js";

test("the published load is what its README says, and its figures are those of its samples", () => {
  const folder = join(packageRoot(), "results", "published", "serve");
  const result = JSON.parse(readFileSync(join(folder, "load.json"), "utf8")) as ServeBenchResult;
  const readme = readFileSync(join(folder, "README.md"), "utf8");
  const again = figures(result.requests, result.figures.duration, result.percentiles, result.goodput);
  assert.deepEqual(JSON.parse(JSON.stringify(again)), result.figures);
  // The same settings are the same load today.
  assert.deepEqual(planned(result.settings).map(({ kind, defect }) => [kind, defect]), result.requests.map(({ kind, defect }) => [kind, defect]));
  const { endings, latencies, output_throughput, request_throughput, request_goodput } = result.figures;
  assert.equal(endings.lost + endings.failed + endings.timed_out + endings.busy, 0);
  const told = [
    `${endings.completed} completed, ${endings.cancelled} cancelled by their clients, ${endings.refused} refused as wrong`,
    ...metricNames.map((name) => `| ${name.toUpperCase()} | ${["mean", "p50", "p90", "p99"].map((each) => latencies[`${each}_${name}_ms`]!.toFixed(2)).join(" | ")} |`),
    `${output_throughput.toFixed(2)} output tokens and ${request_throughput.toFixed(2)} requests a second; goodput ${request_goodput!.toFixed(2)} requests`,
    `medians of the four quarters ${result.memory!.figures!.quarters_bytes.map((bytes) => (bytes / 1e6).toFixed(0)).join(", ")} MB; the last quarter ${(100 * result.memory!.figures!.growth).toFixed(1)} % over the second`,
    `**of which other programs kept ${result.stretches[0]!.processors_busy_with_others!.toFixed(1)} busy meanwhile**`,
  ];
  for (const text of told) assert.ok(readme.includes(text), text);
});
