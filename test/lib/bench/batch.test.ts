import assert from "node:assert/strict";
import { test } from "node:test";
import { benchBatch } from "../../../lib/bench/batch.js";
import { toMarkdown } from "../../../lib/report/formats/index.js";
import { batchBenchTable } from "../../../lib/report/batch-bench.js";
import { load } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";

const options = { sequences: [3, 2], length: 24, newTokens: 2, rounds: 2, signal: new AbortController().signal, onProgress: () => {} };

test("sequences together are measured beside one, and compared with each alone", async (t) => {
  const model = await load("tiny", { threads: 1 });
  t.after(() => model.release());
  const shares: number[] = [];
  const result = await benchBatch(model, { ...options, onProgress: (share) => shares.push(share) });
  assert.deepEqual(result.rows.map(({ sequences }) => sequences), [1, 2, 3]);
  assert.deepEqual(result.prompt_lengths, [24, 20, 16]);
  for (const { tokens_per_second: speeds, ratios, largest_difference: difference } of result.rows) {
    assert.equal(speeds.length, 2);
    speeds.forEach((speed, round) => assert.ok(speed > 0 && Math.abs(ratios[round]! - speed / result.rows[0]!.tokens_per_second[round]!) < 1e-12));
    assert.ok(difference < 1e-4);
  }
  assert.ok(shares.every((share, i) => share >= (shares[i - 1] ?? 0) && share < 1));
  assert.match(toMarkdown(batchBenchTable(result)), /Caches of 16 to 24 tokens, 2 tokens each, 2 rounds/);
});

test("a model whose sequences cannot go together is refused, and a stop stops", async (t) => {
  const bloom = tinyCheckpoint("bloom");
  const [alibi, tiny] = [await load(bloom.folder, { threads: 1 }), await load("tiny", { threads: 1 })];
  t.after(async () => {
    await alibi.release();
    await tiny.release();
    bloom.remove();
  });
  await assert.rejects(benchBatch(alibi, options), /bench batch: .*not with ALiBi/);
  await assert.rejects(benchBatch(tiny, { ...options, signal: AbortSignal.abort(new Error("stopped")) }), /stopped/);
});
