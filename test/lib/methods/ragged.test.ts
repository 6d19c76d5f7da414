// Heads that share a layer's budget: caches of their own lengths.
import assert from "node:assert/strict";
import { test } from "node:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSafetensorsHeader } from "../../../lib/checkpoint/safetensors.js";
import { verifyRun } from "../../../lib/inspect/verify.js";
import { loadRun } from "../../../lib/runtime/load-run.js";
import { load } from "../../../lib/runtime/model.js";
import { forward } from "../../reference/forward.js";
import { dot, linear, rmsNorm, softmax } from "../../reference/operations.js";
import { rotaryFrequencies, rotate } from "../../reference/rotary.js";
import { relativeError } from "../inspect/setup.js";
import { budget, headsOf, looked, n, plain, prefill, prompt, shape, TIGHT, tiny } from "./cut-caches.js";
import { average, best, mean } from "./float64.js";

test("AdaKV: heads share a layer's budget by score, each keeping a part of an even share; caches of their own lengths", async () => {
  const { groups, h } = shape();
  const budgets = { kind: "window attention", window: 4, kernel: 3, pool: "mean", heads: "group mean" } as const;
  const run = await prefill(budgets, { heads: { safeguard: 0.5 } });
  const caches = plain.caches.map((cache, layer) => {
    const scores = Array.from({ length: groups }, (_, g) => mean(headsOf(g).map((head) => looked(layer, head, 4, 3, average))));
    // 24 each on average: 12 of its best stay in each head (the window among them), then the best of all.
    const sure = scores.map((row) => new Set(best(row, 12, 0, 4)));
    const rest = scores.flatMap((row, g) => row.map((score, t) => ({ g, t, score }))).filter(({ g, t }) => !sure[g]!.has(t)).sort((a, b) => b.score - a.score).slice(0, 2 * 24 - 2 * 12);
    const kept = sure.map((own, g) => [...own, ...rest.filter((token) => token.g === g).map(({ t }) => t)].sort((a, b) => a - b));
    kept.forEach((positions, g) => assert.deepEqual([...run.kv.layer(layer).headPositions(g)], positions, `layer ${layer}, head ${g}`));
    return { cache, kept };
  });
  assert.ok(caches.some(({ kept }) => kept[0]!.length !== kept[1]!.length), "heads of different lengths");
  assert.deepEqual(run.kv.lengths, [24, 24, 24]);
  assert.equal(run.kv.bytes, 3 * 24 * groups * h * 2 * 4);
  assert.ok((await verifyRun(run)).ok);
  const fork = run.fork();
  const logits = await run.extend([7, 91]);
  assert.deepEqual(await fork.extend([7, 91]), logits);
  assert.ok((await verifyRun(run)).ok);
  for (const options of [{ worker: true }, { kvDtype: "int8" as const }]) {
    const other = await load(tiny.folder, { threads: 1, ...options });
    const there = await other.prefill(prompt, { preset: budget(budgets, { heads: { safeguard: 0.5 } }), scores: true });
    assert.deepEqual(there.kv.lengths, [24, 24, 24]);
    if (options.worker) assert.deepEqual(await there.extend([7, 91]), logits);
    else assert.ok(relativeError(await there.extend([7, 91]), logits) < 0.05);
    assert.ok((await verifyRun(there)).ok);
    await other.release();
  }
  await assert.rejects(run.observe([3]), /observe: attention by position is not to be had/);
});

for (const kvDtype of ["fp32", "fp16", "int8"] as const) {
  test(`a ragged cache of ${kvDtype} is saved and read as it is; other caches are written as before`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "sdtp-ragged-"));
    const other = await load(tiny.folder, { threads: 1, kvDtype });
    t.after(async () => {
      await other.release();
      await rm(folder, { recursive: true });
    });
    const run = await other.prefill(prompt, { preset: budget({ kind: "key norm" }, { heads: { safeguard: 0 } }) });
    await run.extend([7, 91]);
    assert.ok(run.kv.layers.some((layer) => layer.headPositions(0).length !== layer.headPositions(1).length));
    const file = join(folder, "ragged.safetensors");
    await run.save(file);
    const read = await loadRun(file);
    assert.deepEqual([read.kv.ragged, read.kv.lengths, read.kv.bytes, read.position], [true, run.kv.lengths, run.kv.bytes, n + 2]);
    assert.deepEqual(read.kvLengthsAfterPrefill, run.kvLengthsAfterPrefill);
    run.kv.layers.forEach((layer, l) => {
      for (let head = 0; head < layer.kvHeads; head++) {
        assert.deepEqual(read.kv.layer(l).headPositions(head), layer.headPositions(head));
        for (const part of ["key", "value"] as const) assert.deepEqual(read.kv.layer(l)[part](head), layer[part](head), `${part} of layer ${l}, head ${head}`);
      }
    });
    assert.ok((await verifyRun(read)).ok);
    const even = await other.prefill(prompt, { preset: "snapkv:0.5" });
    await even.save(join(folder, "even.safetensors"));
    const versions = await Promise.all(["ragged", "even"].map(async (name) => (await readSafetensorsHeader(join(folder, `${name}.safetensors`))).metadata["version"]));
    assert.deepEqual(versions, ["2", "1"]);
    assert.deepEqual((await loadRun(join(folder, "even.safetensors"))).kv.lengths, even.kv.lengths);
  });
}

test("a ragged cache generates what the same tokens masked in a whole cache generate", async () => {
  const { groups, h, group } = shape();
  const run = await prefill({ kind: "key norm" }, { heads: { safeguard: 0 } });
  // One layer of attention by hand: the first block's output for a new token over exactly the keys that each head holds.
  const observed = forward(tiny.config, tiny.weights, [7], { caches: plain.caches, positions: [n] });
  const [cache, at] = [observed.caches[0]!, n];
  const inputs = [Float64Array.from({ length: tiny.config.hidden_size }, (_, i) => tiny.weights.get("model.embed_tokens.weight")![7 * tiny.config.hidden_size + i]!)];
  const normed = inputs.map((x) => rmsNorm(x, tiny.weights.get("model.layers.0.input_layernorm.weight")!, tiny.config.rms_norm_eps));
  const query = linear(normed, tiny.weights.get("model.layers.0.self_attn.q_proj.weight")!)[0]!;
  const mixed = Array.from({ length: groups * group }, (_, head) => {
    const g = Math.floor(head / group);
    const held = [...run.kv.layer(0).headPositions(g), n];
    const row = (part: "keys" | "values", t: number) => cache[part].subarray((g * (n + 1) + t) * h, (g * (n + 1) + t + 1) * h);
    const q = rotate(query.slice(head * h, (head + 1) * h), at, rotaryFrequencies(tiny.config));
    const weights = softmax(held.map((t) => dot(q, row("keys", t)) / Math.sqrt(h)));
    return Array.from({ length: h }, (_, i) => weights.reduce((sum, weight, j) => sum + weight * row("values", held[j]!)[i]!, 0));
  }).flat();
  const attended = linear([Float64Array.from(mixed)], tiny.weights.get("model.layers.0.self_attn.o_proj.weight")!)[0]!.map((x, i) => x + inputs[0]![i]!);
  const second = rmsNorm(attended, tiny.weights.get("model.layers.0.post_attention_layernorm.weight")!, tiny.config.rms_norm_eps);
  const gate = linear([second], tiny.weights.get("model.layers.0.mlp.gate_proj.weight")!)[0]!;
  const up = linear([second], tiny.weights.get("model.layers.0.mlp.up_proj.weight")!)[0]!;
  const hidden = linear([gate.map((x, i) => (x / (1 + Math.exp(-x))) * up[i]!)], tiny.weights.get("model.layers.0.mlp.down_proj.weight")!)[0]!.map((x, i) => x + attended[i]!);
  // The second layer's new key is made of that output alone.
  const key = linear([rmsNorm(hidden, tiny.weights.get("model.layers.1.input_layernorm.weight")!, tiny.config.rms_norm_eps)], tiny.weights.get("model.layers.1.self_attn.k_proj.weight")!)[0]!;
  await run.extend([7]);
  for (let g = 0; g < groups; g++) {
    const expected = rotate(key.slice(g * h, (g + 1) * h), at, rotaryFrequencies(tiny.config));
    assert.ok(relativeError(run.kv.layer(1).key(g).slice(-h), expected) < TIGHT, `head ${g}`);
  }
});
