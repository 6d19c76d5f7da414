import assert from "node:assert/strict";
import { test } from "node:test";
import { benchEngine } from "../../../lib/bench/engine/engine.js";
import { prefillFlops } from "../../../lib/methods/plan/flops.js";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { engineTable } from "../../../lib/report/engine.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";

test("the engine's figures follow from what was measured", async (t) => {
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const shares: number[] = [];
  const result = await benchEngine({ model: folder, threads: 1, length: 60, memoryLength: 80, repeats: 2, newTokens: 2, onProgress: (share) => shares.push(share) });
  const { config, tensors } = await openCheckpoint(folder);
  assert.equal(result.prefill_flops, prefillFlops({ config, stages: [], n: 60, counting: "exact" }));
  assert.ok(result.bandwidth_bytes_per_second > 1e7);
  assert.ok(result.matrix_gflops_per_second > 1);
  const weights = [...tensors.values()].reduce((sum, { name, length }) => sum + (name === "model.embed_tokens.weight" ? 0 : length), 0);
  const perToken = 3 * 4 * 8 * 2 * 4;
  assert.equal(result.decode_bytes, weights + 4 * config.hiddenSize + perToken * 61);
  assert.equal(result.samples.decode.length, 4);
  assert.deepEqual(Object.values(result.samples.prefill).map(({ length }) => length), [2, 2, 2]);
  assert.ok(result.peak_memory_bytes > 30e6);
  assert.ok(shares.every((share, i) => share >= (shares[i - 1] ?? 0)) && shares.at(-1) === 1);
  const rows = engineTable({ ...result, prefill_gflops_per_second: 200, decode_ratio: 2.01, peak_memory_bytes: 2e9, overhead: { keep07: { share: 0.019, interval: { low: 0, high: 0.1 } }, sdtp: { share: 0.05, interval: { low: 0, high: 0.1 } } } }).rows;
  assert.deepEqual(rows.map(({ met }) => met), [true, false, false, true, false]);
});
