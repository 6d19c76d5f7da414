import assert from "node:assert/strict";
import { test } from "node:test";
import { benchKernel } from "../../../lib/bench/kernel/bench.js";
import { kernelBenchTable } from "../../../lib/report/kernel-bench.js";

test("the kernel is measured in everything its table tells", { timeout: 300_000 }, async () => {
  const shares: number[] = [];
  const result = await benchKernel({ others: [], rounds: 1, declaring: 25, onProgress: (share) => shares.push(share) });
  const [round] = result.rounds["sdtp"] ?? [];
  assert.ok(round);
  assert.deepEqual([round.warm.length, round.completion.length, round.declaring.length, round.loop.length], [30, 30, 25, 1]);
  for (const seconds of [round.ready, round.first, round.lines, round.restart, ...round.warm, ...Object.values(round.interrupts)]) assert.ok(seconds > 0 && seconds < 120);
  assert.deepEqual(shares, [0]);
  const { rows } = kernelBenchTable(result);
  assert.ok(rows.every(({ values }) => /^[\d.]+ (s|ms|MB)$/.test(values["sdtp"] ?? "") || process.platform !== "linux"), JSON.stringify(rows));
  assert.ok(rows.some(({ figure }) => figure === "interrupt of a loop in a timer"));
});

test("a kernel that is not installed is refused, with those that are", async () => {
  await assert.rejects(benchKernel({ others: ["no-such-kernel"] }), /kernel: no-such-kernel \(installed: /);
});
