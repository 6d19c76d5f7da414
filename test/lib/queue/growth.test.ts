import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";

interface Row {
  workers: number;
  jobs: number;
  speedup: number;
  ideal_speedup: number;
  overhead_milliseconds: { p50: number; p95: number };
  empty_cpu_milliseconds_per_job: { server: number; clients: number };
}

test("the growth that is written down is the one that was measured", () => {
  const folder = join(packageRoot(), "results", "published", "queue");
  const written = readFileSync(join(folder, "README.md"), "utf8").split("\n").filter((line) => /^\| \d/.test(line));
  const { rows, load } = JSON.parse(readFileSync(join(folder, "growth.json"), "utf8")) as { rows: Row[]; load: number[] };
  assert.deepEqual(written, rows.map(({ workers, jobs, speedup, ideal_speedup: ideal, overhead_milliseconds: { p50, p95 }, empty_cpu_milliseconds_per_job: { server, clients } }) =>
    `| ${workers} | ${jobs} | ${speedup.toFixed(1)} | ${ideal.toFixed(1)} | ${p50.toFixed(0)} | ${p95.toFixed(0)} | ${server.toFixed(1)} | ${clients.toFixed(1)} |`));
  assert.equal(rows.at(-1)!.workers, 64);
  assert.equal(load.length, 2);
});
