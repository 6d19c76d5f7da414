import assert from "node:assert/strict";
import { test } from "node:test";
import { endToEndEntry, endToEndMeasurement, kvReduction, prefillEntry, prefillMeasurement } from "../../../lib/bench/measurement.js";
import { measured } from "./records.js";

test("latencies are medians, and the total is the sum of the reported ones", () => {
  const measurement = endToEndMeasurement({ prefill: [3, 1, 2], decode: [10, 30, 50] }, { kv_lens_after_prefill: [4] });
  assert.equal(measurement.prefill_latency_seconds, 2);
  assert.equal(measurement.decode_latency_seconds, 30);
  assert.equal(measurement.total_latency_seconds, 32);
  assert.deepEqual([measurement.statistics!.total.min, measurement.statistics!.total.p50, measurement.statistics!.total.max], [13, 31, 52]);
  assert.deepEqual(measurement.samples, { prefill_seconds: [3, 1, 2], decode_seconds: [10, 30, 50] });
});

test("per-token times are medians over the repeats; the first token comes after the prefill", () => {
  const measurement = endToEndMeasurement({ prefill: [1, 2, 3], decode: [3, 3, 3], perToken: [[1, 2], [2, 1], [1.5, 1.5]] }, { kv_lens_after_prefill: [4] });
  assert.deepEqual(measurement.per_token_seconds, [1.5, 1.5]);
  assert.equal(measurement.first_token_seconds, 4);
});

test("TTFT, TPOT, ITL and tokens a second are of the samples: the prefill, each repeat's mean, all decode runs", () => {
  const { ttft_seconds: ttft, tpot_seconds: tpot, itl_seconds: itl, tokens_per_second: speed } = endToEndMeasurement({ prefill: [1, 2, 4], decode: [3, 3, 8], perToken: [[1, 2], [2, 1], [2, 6]] }, { kv_lens_after_prefill: [4] });
  const near = (actual: object, expected: Record<string, number>) => Object.entries(actual).forEach(([name, value]) => assert.ok(Math.abs(value - expected[name]!) < 1e-9, `${name}: ${value}`));
  near(ttft!, { p50: 2, p90: 3.6, p99: 3.96 });
  // Means 1.5, 1.5 and 4; runs 1, 1, 2, 2, 2, 6.
  near(tpot!, { p50: 1.5, p90: 3.5, p99: 3.95 });
  near(itl!, { p50: 2, p90: 4, p99: 5.8 });
  assert.ok(Math.abs(speed! - 1 / 1.5) < 1e-9);
  const alone = prefillMeasurement([2, 2, 5], {});
  assert.equal(alone.ttft_seconds!.p50, 2);
  assert.ok(!("tpot_seconds" in alone) && !("tpot_seconds" in endToEndMeasurement({ prefill: [1], decode: [1] }, { kv_lens_after_prefill: [4] })));
});

test("speedups divide the baseline by the configuration; the reduction is of bytes over all layers", () => {
  const entry = endToEndEntry(measured(2, 8, [100, 100]), { ...measured(1, 4, [100, 50]), tokens_kept: 50, tokens_pruned: 50 });
  assert.deepEqual(entry.speedup, { prefill: 2, decode: 2, total: 2 });
  assert.equal(entry.kv_reduction, 0.25);
  assert.equal(entry.warnings, undefined);
  assert.throws(() => kvReduction([1, 2], [1]), /KV lengths: of 1 layers \(must be of 2/);
});

test("a speedup that the spread could explain gets a warning with its interval", () => {
  const entry = endToEndEntry(measured(1, 1, [9], 0.2), { ...measured(0.97, 0.2, [9], 0.2), tokens_kept: 9, tokens_pruned: 0 });
  assert.equal(entry.warnings?.length, 1);
  assert.match(entry.warnings![0]!, /^prefill speedup 1\.03 is within noise \(95 % interval 0\.\d\d to 1\.\d\d\)$/);
});

test("a speedup of so few repeats that noise cannot be told gets a warning too", () => {
  const one = endToEndMeasurement({ prefill: [2], decode: [1] }, { kv_lens_after_prefill: [9] });
  assert.deepEqual(endToEndEntry(one, { ...one, tokens_kept: 9, tokens_pruned: 0 }).warnings, ["speedups are of 1 repeat: too few to tell them from noise (take 3 or more)"]);
  assert.deepEqual(prefillEntry(prefillMeasurement([2, 2], {}), prefillMeasurement([1, 1], {})).warnings, ["speedups are of 2 repeats: too few to tell them from noise (take 3 or more)"]);
});

test("prefill alone has the same parts", () => {
  const entry = prefillEntry(prefillMeasurement([2, 2.1, 1.9], {}), prefillMeasurement([1, 1.1, 0.9], {}));
  assert.equal(entry.speedup, 2);
  assert.equal(entry.kv_reduction, undefined);
  assert.equal(entry.sdtp.statistics?.max, 1.1);
});

test("samples that do not belong together are refused", () => {
  assert.throws(() => endToEndMeasurement({ prefill: [1], decode: [1, 2] }, { kv_lens_after_prefill: [1] }), /samples: 1 of prefill and 2 of decode/);
  assert.throws(() => prefillMeasurement([], {}), /samples: none/);
});
