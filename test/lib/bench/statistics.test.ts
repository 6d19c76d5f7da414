import assert from "node:assert/strict";
import { test } from "node:test";
import { bootstrap, bootstrapRatio, mean, median, percentile, summarize } from "../../../lib/bench/statistics.js";

test("medians and percentiles interpolate between the nearest samples, whatever their order", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(percentile([10, 20, 30, 40, 50], 0.9), 46);
  assert.equal(percentile([1, 2], 0), 1);
  assert.equal(percentile([1, 2], 1), 2);
  const samples = [3, 1, 2];
  median(samples);
  assert.deepEqual(samples, [3, 1, 2]);
});

test("a summary has median, p90, extremes, mean and sample deviation", () => {
  assert.deepEqual(summarize([2, 4, 4, 4, 5, 5, 7, 9]), { p50: 4.5, p90: 7.6, min: 2, max: 9, mean: 5, stdev: Math.sqrt(32 / 7) });
  assert.equal(summarize([0.3]).stdev, 0);
});

test("a bootstrap interval covers the true mean about as often as it says", () => {
  let state = 12345;
  const uniform = () => (state = (state * 48271) % 2147483647) / 2147483647;
  let covered = 0;
  for (let trial = 0; trial < 200; trial++) {
    const samples = Array.from({ length: 40 }, uniform);
    const { low, high } = bootstrap(samples, mean, { seed: trial + 1, resamples: 300 });
    assert.ok(low < high);
    if (low <= 0.5 && 0.5 <= high) covered++;
  }
  assert.ok(covered >= 176 && covered <= 199, `${covered} of 200`);
});

test("the same seed gives the same interval, another one another", () => {
  const samples = [1, 2, 4, 8, 16, 32];
  assert.deepEqual(bootstrap(samples, mean, { seed: 3 }), bootstrap(samples, mean, { seed: 3 }));
  const few = { resamples: 25 };
  assert.notDeepEqual(bootstrap(samples, mean, { ...few, seed: 3 }), bootstrap(samples, mean, { ...few, seed: 4 }));
});

test("a speedup's interval contains 1 when both sides are the same noise, and not when one is clearly faster", () => {
  const slow = [1.0, 1.1, 0.95, 1.05, 1.02];
  const same = bootstrapRatio(slow, [1.03, 0.97, 1.06, 1.01, 1.0]);
  assert.ok(same.low < 1 && same.high > 1);
  const twice = bootstrapRatio(slow, slow.map((s) => s / 2));
  assert.ok(twice.low > 1.5 && twice.high < 2.5);
});

test("no samples, infinite samples and impossible shares are refused", () => {
  assert.throws(() => median([]), /samples: none/);
  assert.throws(() => summarize([1, Number.NaN]), /sample: NaN/);
  assert.throws(() => percentile([1], 1.1), /percentile: 1\.1/);
  assert.throws(() => bootstrap([1], mean, { level: 1 }), /interval level: 1/);
  assert.throws(() => bootstrap([1], mean, { resamples: 0 }), /resamples: 0/);
});
