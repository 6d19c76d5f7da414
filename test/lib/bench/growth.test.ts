import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fitPower } from "../../../lib/bench/growth/fit.js";
import { benchGrowth } from "../../../lib/bench/growth/growth.js";
import { toMarkdown } from "../../../lib/report/formats/index.js";
import { growthTable } from "../../../lib/report/growth.js";

const near = (actual: number, expected: number, within = 1e-9) => assert.ok(Math.abs(actual - expected) < within, `${actual}, not ${expected}`);

test("an exponent is the slope of the logarithms; what it leaves out is said", () => {
  const law = fitPower([1, 2, 4, 8].map((x) => [x, 3 * x ** 1.5]));
  near(law.exponent, 1.5);
  near(law.factor, 3);
  near(law.furthest, 0);
  // Linear and quadratic parts together: between 1 and 2, and no power law.
  const both = fitPower([1, 2, 4, 8].map((x) => [x, x + x * x]));
  assert.ok(both.exponent > 1.5 && both.exponent < 2 && both.furthest > 0.04);
  // Twice as much at twice the size, with points a tenth above and below in turn.
  near(fitPower([[1, 1.1], [1, 0.9], [2, 2.2], [2, 1.8]]).exponent, 1);
  assert.throws(() => fitPower([[1, 2]]), /growth: 1 point \(an exponent needs two different sizes\)/);
  assert.throws(() => fitPower([[1, 2], [1, 3]]), /two different sizes/);
  assert.throws(() => fitPower([[1, 2], [2, 0]]), /growth: a point at 2 with 0 \(both must be above 0\)/);
});

test("sizes that give no exponent, and unknown methods, are refused before anything runs", async () => {
  await assert.rejects(benchGrowth({ lengths: [64] }), /lengths: 64 \(must be two or more positive integers, ascending\)/);
  await assert.rejects(benchGrowth({ lengths: [64, 32] }), /lengths: 64, 32 \(must be/);
  await assert.rejects(benchGrowth({ depths: [2, 2] }), /depths: 2, 2 \(must be/);
  await assert.rejects(benchGrowth({ depths: [1, 2.5] }), /depths: 1, 2\.5 \(must be/);
  await assert.rejects(benchGrowth({ configs: ["keep"] }), /preset: keep /);
});

test("caches grow as they must, operations as they are counted; what was measured is found again", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-growth-"));
  try {
    const options = { lengths: [64, 256], depths: [1, 2], depthLength: 64, configs: ["keep07"], threads: 1, repeats: 1, folder };
    const result = await benchGrowth(options);
    const of = (config: string, by: string, quantity: string) => result.growth.find((each) => each.config === config && each.by === by && each.quantity === quantity)!;
    for (const by of ["length", "depth"]) near(of("baseline", by, "kv_bytes_after_prefill").exponent, 1);
    // Keys and values of 2 heads of 64 in float32.
    assert.deepEqual(of("baseline", "length", "kv_bytes_after_prefill").points, [[64, 64 * 2 * 2 * 64 * 4], [256, 256 * 2 * 2 * 64 * 4]]);
    const operations = of("baseline", "length", "prefill_seconds").flops!;
    assert.ok(operations > 0.5 && operations < 2, `${operations}`);
    assert.equal(of("baseline", "length", "peak_memory_bytes").flops, null);
    assert.equal(result.growth.length, 2 * 2 * 4);
    assert.ok(result.rows.every(({ ttft_seconds: ttft, prefill_seconds: prefill, entry }) => ttft === prefill && entry !== null));
    assert.match(toMarkdown(growthTable(result)), /\| Baseline \| KV cache \| length \| 0\.1 MB \| 0\.3 MB \| 1\.00 \| - \| 0% \|/);
    const cells = () => readdirSync(join(folder, "cells")).map((name) => `${name} ${statSync(join(folder, "cells", name)).mtimeMs}`);
    const before = cells();
    assert.equal(before.length, 3);
    assert.deepEqual((await benchGrowth(options)).growth, result.growth);
    assert.deepEqual(cells(), before);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
