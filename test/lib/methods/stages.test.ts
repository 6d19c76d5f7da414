import assert from "node:assert/strict";
import { test } from "node:test";
import type { Method } from "../../../lib/methods/method.js";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import { presets } from "../../../lib/methods/sdtp.js";
import { type Stage, schedule, stagePositions, tokensKept, tokensPerBlock } from "../../../lib/methods/plan/stages.js";
import published from "../../../lib/report/reference/upstream_latency.json" with { type: "json" };

const kept = (preset: Method, n: number, depth: number) => tokensKept(schedule(preset, n, depth), n);

test("keep09, keep08 and keep07 keep exactly 3686, 3276 and 2867 of 4096 tokens", () => {
  for (const depth of [1, 12, 28, 32, 80]) {
    assert.deepEqual([presets.keep09, presets.keep08, presets.keep07].map((preset) => kept(preset, 4096, depth)), [3686, 3276, 2867]);
  }
});

test("all eighteen published counts of the eight-stage cascades come out", () => {
  let compared = 0;
  for (const name of ["cascade09", "cascade08", "cascade07"] as const) {
    for (const [length, { sdtp }] of Object.entries(published.configs[name].results)) {
      assert.equal(kept(presets[name], Number(length), 28), sdtp.tokens_kept, `${name} at ${length}`);
      compared++;
    }
  }
  assert.equal(compared, 18);
});

test("stages stand where the paper and the Python implementation put them", () => {
  assert.deepEqual(stagePositions(presets.sdtp, 32), [4, 7, 10, 13, 16, 19, 22, 25, 28, 31]);
  assert.deepEqual(stagePositions(presets.cascade07, 28), [4, 7, 10, 13, 16, 19, 22, 25]);
  assert.deepEqual(stagePositions(presets.baseline, 32), []);
});

test("positions scale with depth, halves rounding up", () => {
  // (i + 1) * 12 / 32 - 1 = 0.875, 2, 3.125, 4.25, 5.375, 6.5, 7.625, 8.75, 9.875, 11
  assert.deepEqual(stagePositions(presets.sdtp, 12), [1, 2, 3, 4, 5, 7, 8, 9, 10, 11]);
  assert.deepEqual(stagePositions(presets.keep07, 12), [1]);
  assert.deepEqual(stagePositions(presets.sdtp, 80), [12, 19, 27, 34, 42, 49, 57, 64, 72, 79]);
});

test("a stage never stands before the first block", () => {
  assert.deepEqual(stagePositions(presets.keep07, 1), [0]);
  assert.deepEqual(stagePositions(presets.sdtp, 2), [0, 1]);
});

test("with at most 20 tokens every stage is there and prunes nothing", () => {
  for (let n = 1; n <= 20; n++) {
    const stages = schedule(presets.cascade07, n, 28);
    assert.equal(stages.length, 8);
    for (const { present, keep, head, tail } of stages) assert.deepEqual([present, keep, head + tail], [n, n, n]);
  }
  assert.equal(kept(presets.keep07, 21, 32), 20);
});

test("the first 4 and the last max(16, n / 10) are forced, and lift the count where the ratio asks for less", () => {
  const one = (n: number, ratio: number) => schedule(resolveMethod({ stages: [{ afterBlock: 0, ratio }], baseDepth: 1 }), n, 1)[0];
  assert.deepEqual(one(100, 0.5), { afterLayer: 0, present: 100, keep: 50, head: 4, tail: 16 });
  assert.deepEqual(one(169, 0.5), { afterLayer: 0, present: 169, keep: 84, head: 4, tail: 16 });
  assert.deepEqual(one(170, 0.5), { afterLayer: 0, present: 170, keep: 85, head: 4, tail: 17 });
  assert.deepEqual(one(1000, 0.05), { afterLayer: 0, present: 1000, keep: 104, head: 4, tail: 100 });
  assert.deepEqual(one(1000, 1), { afterLayer: 0, present: 1000, keep: 1000, head: 4, tail: 100 });
});

test("counts are consistent for every length, preset and depth", () => {
  for (const preset of Object.values(presets)) {
    for (const depth of [1, 2, 3, 5, 12, 28, 32]) {
      for (let n = 1; n <= 4096; n += n < 400 ? 1 : 61) {
        const stages = schedule(preset, n, depth);
        assert.deepEqual(stages.map(({ afterLayer }) => afterLayer), stagePositions(preset, depth));
        let present = n;
        for (const stage of stages) {
          assert.equal(stage.present, present);
          assert.ok(stage.head + stage.tail <= stage.keep && stage.keep <= present && stage.tail >= 0, JSON.stringify(stage));
          present = stage.keep;
        }
      }
    }
  }
});

test("stages that collide in a shallow model apply their counts one after the other", () => {
  for (const depth of [1, 2, 3, 4, 7]) {
    for (const n of [64, 1024, 4096, 32768]) assert.equal(kept(presets.cascade07, n, depth), kept(presets.cascade07, n, 28));
  }
  assert.equal(schedule(presets.cascade07, 4096, 4).length, 4);
});

test("a merged stage keeps the tokens that its stages would keep one after the other", () => {
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  let merged = 0;
  for (const preset of [presets.sdtp, presets["sdtp-low"], presets.cascade09, presets.cascade08, presets.cascade07]) {
    for (const depth of [1, 2, 4, 6]) {
      for (let n = 15; n < 700; n += 13) {
        const scores = Array.from({ length: n }, () => Math.floor(random() * 50));
        const positions = stagePositions(preset, depth);
        const together = schedule(preset, n, depth);
        // At full depth nothing collides: the same stages one by one, on the same scores.
        const separate = schedule(preset, n, preset.baseDepth);
        merged += separate.length - together.length;
        assert.equal(together.length, positions.length);
        assert.deepEqual(run(together, scores), run(separate, scores), `${preset.name}, depth ${depth}, n ${n}`);
      }
    }
  }
  assert.ok(merged > 1000);
});

/** Positions that remain when the stages select one after the other from the same scores. */
function run(stages: readonly Stage[], scores: readonly number[]): number[] {
  let positions = scores.map((_, position) => position);
  for (const { keep, head, tail } of stages) {
    const free = positions.slice(head, positions.length - tail);
    const chosen = [...free].sort((a, b) => scores[b]! - scores[a]! || a - b).slice(0, keep - head - tail);
    positions = [...positions.slice(0, head), ...chosen.sort((a, b) => a - b), ...positions.slice(positions.length - tail)];
  }
  return positions;
}

test("tokens per block follow the stages", () => {
  const stages = schedule(presets.keep07, 4096, 8);
  assert.deepEqual(stages.map(({ afterLayer }) => afterLayer), [0]);
  assert.deepEqual(tokensPerBlock(stages, 4096, 8), [4096, ...Array<number>(7).fill(2867)]);
  assert.deepEqual(tokensPerBlock([], 10, 3), [10, 10, 10]);
  const sdtp = schedule(presets.sdtp, 4096, 32);
  assert.equal(sdtp.at(-1)?.afterLayer, 31);
  assert.equal(tokensPerBlock(sdtp, 4096, 32).at(-1), sdtp.at(-1)?.present);
});

test("the paper's schedule prunes 65 % of the tokens and gives 1.49 times compression", () => {
  const stages = schedule(presets.sdtp, 4096, 32);
  assert.equal(Math.round(100 * (1 - tokensKept(stages, 4096) / 4096)), 65);
  const mean = tokensPerBlock(stages, 4096, 32).reduce((sum, tokens) => sum + tokens) / 32;
  assert.equal((4096 / mean).toFixed(2), "1.49");
});

test("lengths and depths that are not positive integers are refused", () => {
  for (const n of [0, -1, 1.5, Number.NaN]) assert.throws(() => schedule(presets.keep07, n, 32), /prompt length: .* \(must be a positive integer\)/);
  assert.throws(() => stagePositions(presets.keep07, 0), /model depth: 0 \(must be a positive integer\)/);
});
