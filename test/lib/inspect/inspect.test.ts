// What inspection says of a pruned cache, against the float64 forward pass.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { diffRuns, kvDrift, kvLengths, kvMemory, kvNorms, retentionMap, scoreDistributions, tokenFates } from "../../../lib/inspect/index.js";
import type { LayerCache } from "../../reference/forward.js";
import { headDimOf, kvHeadsOf } from "../../reference/config.js";
import { defineScorer } from "../../../lib/methods/scorer.js";
import { direction, prompt, setup, twice } from "./setup.js";

describe("inspection of a pruned run", async () => {
  const { model, tiny, plain, pruned, prefill, caches, close } = await setup();
  after(close);
  const [h, heads] = [headDimOf(tiny.config), kvHeadsOf(tiny.config)];
  const vector = (cache: LayerCache, part: "keys" | "values", head: number, position: number) => {
    const row = head * cache.positions.length + cache.positions.indexOf(position);
    return cache[part].subarray(row * h, (row + 1) * h);
  };
  const close4 = (actual: number, expected: number) => assert.ok(Math.abs(actual - expected) < 1e-4, `${actual}, ${expected}`);

  test("the cache says what it holds", async () => {
    const { kv } = await prefill();
    assert.deepEqual(kv.summary().map(({ layer, length, first, last, bytes, dtype, home }) => [layer, length, first, last, bytes, dtype, home]), [
      [0, 48, 0, 47, 2 * heads * 48 * h * 4, "float32", "host"],
      [1, 38, 0, 47, 2 * heads * 38 * h * 4, "float32", "host"],
      [2, 28, 0, 47, 2 * heads * 28 * h * 4, "float32", "host"],
    ]);
    assert.equal(kv.layer(1).key(0).buffer, kv.layer(1).key(1).buffer);
    assert.throws(() => kv.layer(3), /layer: 3 \(must be 0 … 2\)/);
  });

  test("every token's fate, score and whether it was forced", async () => {
    const run = await prefill();
    const { stage, score, forced } = tokenFates(run);
    prompt.forEach((_, position) => {
      const fell = pruned.kept.findIndex((kept) => !kept.includes(position));
      assert.equal(stage[position], fell);
      const last = fell < 0 ? pruned.kept.length - 1 : fell;
      close4(score![position]!, pruned.scores[last]![pruned.caches[last]!.positions.indexOf(position)]!);
    });
    assert.deepEqual(run.stages.map(({ dropped }) => dropped.length), [10, 10]);
    assert.deepEqual([...run.stages[0]!.dropped], prompt.map((_, i) => i).filter((i) => !pruned.kept[0]!.includes(i)));
    assert.deepEqual([...forced.keys()].filter((i) => forced[i]), [...run.stages[1]!.forced]);
    assert.deepEqual([...run.stages[1]!.forced], [...pruned.kept[0]!.slice(0, 4), ...pruned.kept[0]!.slice(-16)]);
    assert.equal(tokenFates(await model.prefill(prompt, { preset: twice, scorer: direction })).score, null);
  });

  test("retention: share of each column's tokens that a layer holds", async () => {
    const map = retentionMap(await prefill(), { columns: 10 });
    assert.equal(map.width, 5);
    assert.equal(map.columns, 10);
    map.share.forEach((share, l) => share.forEach((value, column) => {
      const inside = prompt.map((_, i) => i).filter((i) => Math.floor(i / 5) === column);
      close4(value, inside.filter((i) => pruned.caches[l]!.positions.includes(i)).length / inside.length);
    }));
    assert.deepEqual(map.lengths, [48, 38, 28]);
    assert.deepEqual(retentionMap(await prefill("evict")).lengths, [28, 28, 28]);
  });

  test("score distributions: every free token in a bin, the cut between kept and dropped", async () => {
    const distributions = scoreDistributions(await prefill(), { bins: 7 });
    distributions.forEach(({ kept, dropped, lowestKept, highestDropped, forced, edges }, s) => {
      const scores = pruned.scores[s]!;
      const free = scores.slice(4, -16).sort((a, b) => b - a);
      const stays = pruned.kept[s]!.length - 20;
      assert.equal(kept.reduce((a, b) => a + b), stays);
      assert.equal(dropped.reduce((a, b) => a + b), free.length - stays);
      close4(lowestKept!, free[stays - 1]!);
      close4(highestDropped!, free[stays]!);
      assert.equal(forced, 20);
      close4(edges[0]!, free.at(-1)!);
      close4(edges[7]!, free[0]!);
    });
    const unread = await model.prefill(prompt, { preset: twice, scorer: direction });
    assert.throws(() => scoreDistributions(unread), /scores: not read at stage 0 \(prefill with \{ scores: true \}\)/);
  });

  test("scores over several powers of ten are put into bins of equal ratio, the extremes in the outermost", async () => {
    const powers = defineScorer("powers", (g, { positions }) => g.exp(g.mul(g.cast(positions, "float32"), 0.3)));
    const [first] = scoreDistributions(await model.prefill(prompt, { preset: twice, scorer: powers, scores: true }), { bins: 4 });
    assert.equal(first!.scale, "log");
    const [low, high] = [Math.exp(0.3 * 4), Math.exp(0.3 * 31)];
    first!.edges.forEach((edge, i) => assert.ok(Math.abs(edge / (low * (high / low) ** (i / 4)) - 1) < 1e-5));
    assert.deepEqual([...first!.dropped].map((count, bin) => count + first!.kept[bin]!), [7, 7, 7, 7]);
    assert.deepEqual([...first!.dropped], [7, 3, 0, 0]);
  });

  test("norms of keys and values are the reference's", async () => {
    const norms = kvNorms(await prefill());
    assert.equal(norms.columns, 48);
    for (let l = 0; l < 3; l++) {
      for (let position = 0; position < 48; position++) {
        const cache = pruned.caches[l]!;
        for (const [part, actual] of [["keys", norms.key], ["values", norms.value]] as const) {
          if (!cache.positions.includes(position)) {
            assert.ok(Number.isNaN(actual[l]![position]));
            continue;
          }
          const expected = Array.from({ length: heads }, (_, head) => Math.hypot(...vector(cache, part, head, position))).reduce((a, b) => a + b) / heads;
          close4(actual[l]![position]!, expected);
        }
      }
    }
  });

  for (const kvPolicy of ["retain", "evict"] as const) {
    test(`drift from the unpruned run is the reference's (${kvPolicy})`, async () => {
      const drift = await kvDrift(await prefill(kvPolicy));
      drift.forEach((row, l) => {
        const cache = caches(kvPolicy)[l]!;
        assert.equal(row.tokens, cache.positions.length);
        for (const part of ["keys", "values"] as const) {
          let [cosines, difference, size] = [0, 0, 0];
          for (const position of cache.positions) {
            for (let head = 0; head < heads; head++) {
              const [x, y] = [vector(cache, part, head, position), vector(plain.caches[l]!, part, head, position)];
              cosines += x.reduce((sum, value, i) => sum + value * y[i]!, 0) / Math.hypot(...x) / Math.hypot(...y);
              difference += x.reduce((sum, value, i) => sum + (value - y[i]!) ** 2, 0);
              size += y.reduce((sum, value) => sum + value * value, 0);
            }
          }
          close4(part === "keys" ? row.keyCosine : row.valueCosine, cosines / heads / cache.positions.length);
          close4(part === "keys" ? row.keyRelativeL2 : row.valueRelativeL2, Math.sqrt(difference / size));
        }
      });
      assert.ok(drift[0]!.keyRelativeL2 < 1e-6 && drift[2]!.valueRelativeL2 > 1e-3, "only what comes after a stage drifts");
    });
  }

  test("two scorers on one prompt: kept by both, by one, by neither", async () => {
    const [a, b] = [await prefill(), await model.prefill(prompt, { preset: twice, scorer: "recency" })];
    const diff = diffRuns(a, b);
    const [inA, inB] = [new Set(a.kept), new Set(b.kept)];
    assert.deepEqual([...diff.both], [...inA].filter((position) => inB.has(position)));
    assert.deepEqual([...diff.onlyB], [...inB].filter((position) => !inA.has(position)));
    assert.equal(diff.both.length + diff.onlyA.length + diff.onlyB.length + diff.neither.length, 48);
    assert.equal(diff.overlap.jaccard, diff.both.length / (56 - diff.both.length));
    assert.deepEqual(diff.stages.map(({ a, b }) => [a, b]), [[38, 38], [28, 28]]);
    assert.equal(diff.stages[1]!.both, diff.both.length);
    assert.ok(diff.onlyA.length > 0);
    const other = await model.prefill(prompt.map((id) => (id + 1) % 250));
    assert.throws(() => diffRuns(a, other), /runs: token ids 0 and 1 at position 0 \(must be runs of the same prompt\)/);
  });

  test("lengths and bytes of several runs; the schedule's bytes are those of the cache", async () => {
    const runs = [await model.prefill(prompt), await prefill("retain"), await prefill("evict")];
    assert.deepEqual(kvLengths(runs).runs.map(({ lengths }) => lengths), [[48, 48, 48], [48, 38, 28], [28, 28, 28]]);
    for (const run of runs) {
      const [row] = kvMemory(model.config, { presets: [run.preset], lengths: [48], kvPolicy: run.kvPolicy });
      assert.equal(row!.bytes, run.kv.bytes);
      for (const [kvDtype, token] of [["fp16", 2 * heads * h * 2], ["int8", 2 * heads * (h + 4)]] as const) {
        const [narrow] = kvMemory(model.config, { presets: [run.preset], lengths: [48], kvPolicy: run.kvPolicy, kvDtype });
        assert.equal(narrow!.bytes, run.kv.lengths.reduce((a, b) => a + b) * token);
      }
      close4(row!.reduction, 1 - run.kv.bytes / runs[0]!.kv.bytes);
    }
  });
});
