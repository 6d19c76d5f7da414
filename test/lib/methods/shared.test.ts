// Budgets that layers, or heads of all layers, share as the prompt has it: CAKE and KVzip, against a float64 pass.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import type { CacheBudget } from "../../../lib/methods/cache/budget.js";
import { bestOfAll, bestRows, layerBudgets } from "../../../lib/methods/cache/share.js";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import { verifyRun } from "../../../lib/inspect/verify.js";
import { loadRun } from "../../../lib/runtime/load-run.js";
import { load } from "../../../lib/runtime/model.js";
import { forward } from "../../reference/forward.js";
import { softmax } from "../../reference/operations.js";
import { relativeError } from "../inspect/setup.js";
import { average, best, cut, mean, Pass, pooled } from "./float64.js";
import { model, n, pass, plain, prompt, TIGHT, tiny } from "./plain-pass.js";

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

suite("shared budgets", () => {
  const cake = (cache: Partial<CacheBudget> = {}) => resolveMethod({
    name: "small", baseDepth: 3, stages: [],
    cache: { amount: { ratio: 0.5 }, scoring: { kind: "window attention", window: 6, kernel: 5, pool: "mean", heads: "group mean", shift: 200 }, layers: { preference: { dispersion: 1.6, shift: 0.4 } }, ...cache },
  });
  /** What the last six tokens pay to those before them, `[6][n - 6]`. */
  const looked = (layer: number, head: number) => pass.paid(layer, head, 6).map((row) => row.slice(0, n - 6));
  const variances = (rows: number[][]) => mean(rows).map((center, i) => sum(rows.map((row) => (row[i]! - center) ** 2)) / (rows.length - 1));

  test("CAKE: layers share by dispersion and shift of their windows' attention; tokens by its mean and variance", async () => {
    const preferences = plain.caches.map((_, layer) => {
      const heads = Array.from({ length: pass.heads }, (_, head) => looked(layer, head));
      const entropy = -sum(heads.flat(2).map((share) => share * Math.log(share + 1e-10)));
      const shift = sum(heads.flatMap(variances));
      return entropy ** (1 / 1.6) * shift ** (1 / 0.4);
    });
    const run = await model.prefill(prompt, { preset: cake(), scores: true });
    // 24 tokens in each of 3 layers, the window of 6 always: 54 to share, at most 42 a layer.
    assert.ok(new Set(run.kv.lengths).size > 1, "the layers differ");
    assert.equal(sum(run.kv.lengths), 72);
    assert.deepEqual(run.kv.lengths.map((length) => length - 6), layerBudgets(preferences, 54, [42, 42, 42]));
    const kept = plain.caches.map((_, layer) => Array.from({ length: pass.groups }, (_, g) => {
      const scores = mean(pass.sharing(g).map((head) => {
        const rows = looked(layer, head);
        const varied = variances(rows);
        return pooled([...mean(rows).map((value, at) => value + 200 * varied[at]!), ...Array<number>(6).fill(0)], 5, average);
      }));
      assert.ok(relativeError(run.selections![layer]!.scores!.subarray(g * n, (g + 1) * n - 6), scores.slice(0, n - 6)) < 2e-4, `layer ${layer}, head ${g}`);
      const own = best(scores, run.kv.lengths[layer]!, 0, 6);
      assert.deepEqual([...run.kv.layer(layer).headPositions(g)], own, `layer ${layer}, head ${g}`);
      return own;
    }));
    assert.equal(run.kv.bytes, 72 * pass.groups * pass.headDim * 2 * 4);
    assert.ok((await verifyRun(run)).ok);
    const next = forward(tiny.config, tiny.weights, [7], { caches: plain.caches.map((cache, layer) => cut(cache, kept[layer]!, pass.headDim)), positions: [n] });
    assert.ok(relativeError(run.logits, plain.logits) < TIGHT);
    assert.ok(relativeError(await run.extend([7]), next.logits) < 2 * TIGHT);
    assert.ok((await verifyRun(run)).ok);
  });

  test("CAKE: the plan has the sums, a saved run what each layer took; in a worker and in narrow caches the same tokens", async () => {
    const preset = cake();
    const plan = model.plan(n, { preset });
    assert.deepEqual([plan.shared, plan.kvLengths], ["layers", [24, 24, 24]]);
    const run = await model.prefill(prompt, { preset, scores: true });
    assert.equal(run.kv.bytes, plan.kvBytes);
    const folder = mkdtempSync(join(tmpdir(), "sdtp-cake-"));
    try {
      await run.save(join(folder, "run.safetensors"));
      const loaded = await loadRun(join(folder, "run.safetensors"));
      assert.deepEqual(loaded.kvLengthsAfterPrefill, run.kv.lengths);
      assert.ok((await verifyRun(loaded)).ok);
    } finally {
      rmSync(folder, { recursive: true });
    }
    for (const options of [{ worker: true }, { kvDtype: "int8" as const }]) {
      const other = await load(tiny.folder, { threads: 1, ...options });
      const there = await other.prefill(prompt, { preset, scores: true });
      assert.deepEqual((await there.toHost()).kv.layers.map((layer) => [...layer.headPositions(1)]), run.kv.layers.map((layer) => [...layer.headPositions(1)]));
      assert.ok((await verifyRun(there)).ok);
      const fork = there.fork();
      assert.deepEqual(await fork.extend([5]), await there.extend([5]));
      await other.release();
    }
    // Beside stages: of a layer no more than it has.
    const staged = await model.prefill(prompt, { preset: resolveMethod({ ...cake(), name: "staged", stages: [{ afterBlock: 1, ratio: 0.5 }] }), scorer: "norm", scores: true });
    assert.deepEqual(staged.plan.tokens, [48, 48, 24]);
    assert.equal(sum(staged.kv.lengths), sum(staged.plan.kvLengths));
    assert.ok(staged.kv.lengths[2]! <= 24);
    assert.ok((await verifyRun(staged)).ok);
    assert.throws(() => resolveMethod("cake+h2o-decoding"), /both have a cache budget/);
  });

  test("shares are exact: nothing above its cap, the rest to the others, refused where a preference is no number", () => {
    assert.deepEqual(layerBudgets([1, 1, 2], 8, [9, 9, 9]), [2, 2, 4]);
    assert.deepEqual(layerBudgets([0, 1, 98], 12, [5, 5, 5]), [4, 3, 5]);
    assert.deepEqual(layerBudgets([0, 0], 5, [9, 9]), [3, 2]);
    assert.deepEqual(layerBudgets([1, 3], 99, [2, 4]), [2, 4]);
    assert.throws(() => layerBudgets([1, Number.NaN], 5, [9, 9]), /layer 1: a preference of NaN/);
    assert.deepEqual([...bestRows(Float32Array.of(1, 5, 5, 0, 9), 3, 1, 1)], [0, 1, 4]);
  });

  const kvzip = (chunk: number) => resolveMethod({ name: "small", baseDepth: 3, stages: [], cache: { amount: { ratio: 0.5 }, scoring: { kind: "reconstruction", chunk, sinks: 2 }, heads: { safeguard: 0, of: "model" } } });
  /** Requests of the checkpoint's tokenizer, and of each layer and head what the repetition looks at. */
  async function repeatedScores(chunk: number): Promise<number[][][]> {
    const tokenizer = await model.tokenizer();
    const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });
    const scores = plain.caches.map(() => Array.from({ length: pass.groups }, () => Array<number>(n).fill(0)));
    for (let start = 0; start < n; start += chunk) {
      const part = prompt.slice(start, start + chunk);
      const request = start === 0 ? encode("\n\nRepeat the previous context exactly.") : [...encode("\n\nRepeat the part of the previous context exactly, starting with"), ...prompt.slice(Math.max(0, start - 8), start)];
      const tokens = [...request, ...encode("\n"), ...part];
      const positions = tokens.map((_, i) => n + i);
      const again = new Pass(tiny, forward(tiny.config, tiny.weights, tokens, { caches: plain.caches, positions }), tokens, positions);
      const sinks = Math.min(2, start);
      plain.caches.forEach((_, layer) => {
        for (let g = 0; g < pass.groups; g++) {
          const keys = again.vectors(layer, "keys", g);
          const few = [...keys.slice(0, sinks), ...keys.slice(start, start + part.length), ...keys.slice(n)];
          for (const head of pass.sharing(g)) again.queries(layer, head).forEach((query, i) => {
            const shares = softmax(again.products(query, few).map((product, j) => (j > sinks + part.length + i ? -Infinity : product)));
            part.forEach((_, j) => (scores[layer]![g]![start + j] = Math.max(scores[layer]![g]![start + j]!, shares[sinks + j]!)));
          });
        }
      });
    }
    return scores;
  }

  for (const chunk of [48, 20]) {
    test(`KVzip: the largest attention of a repetition in parts of ${chunk}, one budget for all heads of all layers`, async () => {
      const scores = await repeatedScores(chunk);
      const run = await model.prefill(prompt, { preset: kvzip(chunk), scores: true });
      scores.forEach((heads, layer) => assert.ok(relativeError(run.selections![layer]!.scores!, heads.flat()) < 2e-4, `layer ${layer}`));
      // 24 of 48 in each of 3 layers and two heads; two of them the first.
      const all = scores.flatMap((heads, layer) => heads.flatMap((row, g) => row.map((score, at) => ({ layer, g, at, score })))).filter(({ at }) => at >= 2);
      const chosen = all.sort((a, b) => b.score - a.score).slice(0, 3 * pass.groups * 22);
      const kept = scores.map((heads, layer) => heads.map((_, g) => [0, 1, ...chosen.filter((token) => token.layer === layer && token.g === g).map(({ at }) => at)].sort((a, b) => a - b)));
      kept.forEach((heads, layer) => heads.forEach((own, g) => assert.deepEqual([...run.kv.layer(layer).headPositions(g)], own, `layer ${layer}, head ${g}`)));
      assert.equal(run.kv.bytes, 3 * 24 * pass.groups * pass.headDim * 2 * 4);
      assert.ok(run.kv.ragged);
      assert.ok((await verifyRun(run)).ok);
      const whole = await model.prefill(prompt);
      assert.deepEqual(run.logits, whole.logits);
      const fork = run.fork();
      const logits = await run.extend([7, 91]);
      assert.deepEqual(await fork.extend([7, 91]), logits);
      assert.ok((await verifyRun(run)).ok);
      for (const options of [{ worker: true }, { kvDtype: "fp16" as const }]) {
        const other = await load(tiny.folder, { threads: 1, ...options });
        const there = await other.prefill(prompt, { preset: kvzip(chunk), scores: true });
        if (options.worker) assert.deepEqual(await there.extend([7, 91]), logits);
        else assert.equal(2 * there.kv.bytes, 3 * 24 * pass.groups * pass.headDim * 2 * 4);
        assert.ok((await verifyRun(there)).ok);
        await other.release();
      }
    });
  }

  test("KVzip beside stages repeats the whole prompt against what each layer holds; its work is in the plan", async () => {
    const preset = resolveMethod({ ...kvzip(20), name: "staged", stages: [{ afterBlock: 0, ratio: 0.5 }] });
    const run = await model.prefill(prompt, { preset, scorer: "norm", scores: true });
    assert.deepEqual(run.plan.tokens, [48, 24, 24]);
    assert.equal(run.kv.bytes, 3 * 24 * pass.groups * pass.headDim * 2 * 4);
    assert.ok((await verifyRun(run)).ok);
    // Memory: the whole cache beside the one cut out of it, and scores of a part; refused before anything runs where they do not fit.
    const memory = (name: string) => model.memory(200, { preset: name, reserve: 0 });
    assert.ok(memory("kvzip").cache > memory("baseline").cache && memory("kvzip").activations > memory("baseline").activations);
    assert.equal(memory("cake").cache, memory("baseline").cache + memory("snapkv").cache);
    const small = await load(tiny.folder, { threads: 1, memoryLimit: memory("kvzip").total - 1 });
    await assert.rejects(small.prefill(Array.from({ length: 200 }, (_, i) => i % 250), { preset: "kvzip" }), /^Error: memory: .* for a prompt of 200 tokens/);
    await small.release();
    const flops = (name: string) => model.plan(n, { preset: name }).flops.exact;
    assert.ok(flops("kvzip") > 2 * flops("baseline") && flops("kvzip") < 4 * flops("baseline"));
  });

  test("KVzip where it cannot be had: before anything runs, in one sentence", async () => {
    const long = Array.from({ length: tiny.config.max_position_embeddings - 10 }, (_, i) => i % 250);
    await assert.rejects(model.prefill(long, { preset: "kvzip" }), /preset kvzip: \d+ positions \(a prompt of \d+ tokens is repeated behind itself in parts of 2048, and the model has \d+\)/);
    assert.throws(() => resolveMethod({ ...kvzip(20), cache: { ...kvzip(20).cache!, heads: { safeguard: 0.2, of: "model" } } }), /heads\.of: model \(all heads of all layers share one budget/);
    assert.throws(() => resolveMethod({ ...kvzip(20), cache: { ...kvzip(20).cache!, scoring: { kind: "reconstruction", chunk: 0, sinks: 2 } } }), /scoring\.chunk: 0/);
    assert.throws(() => cake({ layers: { preference: { dispersion: 0, shift: 1 } } }), /layers\.preference\.dispersion: 0 \(must be above 0/);
    assert.throws(() => cake({ scoring: { kind: "key norm" } }), /preference: beside key norm/);
  });

  test("one budget for all: ties go to earlier layers, heads and tokens, forced tokens stay", () => {
    const of = (present: number, keep: number) => ({ present, keep, head: 1, tail: 0, safe: 0, scoring: { kind: "reconstruction", chunk: 4, sinks: 1 } as const });
    const rows = bestOfAll([Float32Array.of(0, 3, 1, 0, 1, 1), Float32Array.of(0, 1, 9, 0, 1, 1)], [of(3, 2), of(3, 2)], 2);
    assert.deepEqual(rows.map((heads) => heads.map((own) => [...own])), [[[0, 1, 2], [0, 1]], [[0, 2], [0]]]);
  });
});
