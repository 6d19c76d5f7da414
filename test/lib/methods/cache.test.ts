// Methods that cut down caches, against a float64 pass: scores from their definitions, written out here, and what is generated from the caches that are left.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import type { CacheBudget, CacheScoring } from "../../../lib/methods/cache/budget.js";
import { methods } from "../../../lib/methods/all.js";
import { sharedBudget } from "../../../lib/methods/plan/cache.js";
import { planTokens } from "../../../lib/methods/plan/plan.js";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import { verifyRun } from "../../../lib/inspect/verify.js";
import { loadRun } from "../../../lib/runtime/load-run.js";
import { load, type Model } from "../../../lib/runtime/model.js";
import type { Run } from "../../../lib/runtime/run.js";
import { tinyCheckpoint, type TinyCheckpoint } from "../../reference/checkpoints.js";
import { headDimOf, kvHeadsOf } from "../../reference/config.js";
import { forward, type ForwardResult, type LayerCache } from "../../reference/forward.js";
import { dot, linear, rmsNorm, softmax, type Vector } from "../../reference/operations.js";
import { rotaryFrequencies, rotate } from "../../reference/rotary.js";
import { blockInputs, relativeError } from "../inspect/setup.js";

const prompt = Array.from({ length: 48 }, (_, i) => (i * 37 + 11 * (i % 7)) % 250);
const n = prompt.length;
const TIGHT = 2e-5;

const budget = (scoring: CacheScoring, more: Partial<CacheBudget> = {}) =>
  resolveMethod({ name: "tried", stages: [], baseDepth: 3, cache: { amount: { ratio: 0.5 }, scoring, ...more } });

suite("caches cut down", () => {
  let tiny: TinyCheckpoint;
  let model: Model;
  let plain: ForwardResult;
  /** Queries of each layer before rotary embedding, `[layers][heads][n][headDim]`. */
  let raw: Vector[][][];

  before(async () => {
    tiny = tinyCheckpoint("llama-llama3");
    model = await load(tiny.folder, { threads: 1 });
    plain = forward(tiny.config, tiny.weights, prompt);
    const [h, heads] = [headDimOf(tiny.config), tiny.config.num_attention_heads];
    raw = plain.caches.map((_, layer) => {
      const prefix = `model.layers.${layer}.`;
      const inputs = blockInputs(plain, layer, tiny.weights.get("model.embed_tokens.weight")!, prompt, tiny.config.hidden_size);
      const queries = linear(inputs.map((x) => rmsNorm(x, tiny.weights.get(`${prefix}input_layernorm.weight`)!, tiny.config.rms_norm_eps)), tiny.weights.get(`${prefix}self_attn.q_proj.weight`)!);
      return Array.from({ length: heads }, (_, head) => queries.map((query) => query.slice(head * h, (head + 1) * h)));
    });
  });
  after(async () => {
    await model.release();
    tiny.remove();
  });

  const shape = () => {
    const [heads, groups, h] = [tiny.config.num_attention_heads, kvHeadsOf(tiny.config), headDimOf(tiny.config)];
    return { heads, groups, h, group: heads / groups };
  };
  const vectors = (cache: LayerCache, part: "keys" | "values", g: number): Vector[] => {
    const { h } = shape();
    return Array.from({ length: n }, (_, t) => Float64Array.from(cache[part].subarray((g * n + t) * h, (g * n + t + 1) * h)));
  };
  /** What the query of token `t` pays, `[n]`. */
  const pays = (layer: number, head: number, t: number): number[] => {
    const { h, group } = shape();
    const query = rotate(raw[layer]![head]![t]!, t, rotaryFrequencies(tiny.config));
    return softmax(vectors(plain.caches[layer]!, "keys", Math.floor(head / group)).map((key, j) => (j > t ? -Infinity : dot(query, key) / Math.sqrt(h))));
  };
  const mean = (rows: readonly ArrayLike<number>[]): number[] => Array.from({ length: rows[0]!.length }, (_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length);
  const norm = (x: ArrayLike<number>) => Math.sqrt(dot(x, x));
  const headsOf = (g: number) => Array.from({ length: shape().group }, (_, i) => g * shape().group + i);

  /** Positions that the highest scores are at, the first `head` and last `tail` in any case. */
  const best = (scores: readonly number[], keep: number, head: number, tail: number): number[] => {
    const free = scores.map((_, i) => i).filter((i) => i >= head && i < n - tail).sort((a, b) => scores[b]! - scores[a]! || a - b);
    const forced = scores.map((_, i) => i).filter((i) => i < head || i >= n - tail);
    return [...forced, ...free.slice(0, keep - head - tail)].sort((a, b) => a - b);
  };

  /** The run keeps what these scores say, verifies, and generates what the reference generates from the same caches. */
  async function holds(run: Run, expected: (layer: number, head: number) => number[], { head, tail, tolerance = TIGHT }: { head: number; tail: number; tolerance?: number }) {
    const { groups, h } = shape();
    const caches = plain.caches.map((cache, layer): LayerCache => {
      const selection = run.selections![layer]!;
      const keep = run.plan.kvLengths[layer]!;
      const kept = Array.from({ length: groups }, (_, g) => {
        const scores = expected(layer, g);
        const actual = selection.scores!.subarray(g * n, (g + 1) * n);
        const inside = [...scores.keys()].filter((i) => i >= head && i < n - tail);
        assert.ok(relativeError(inside.map((i) => actual[i]!), inside.map((i) => scores[i]!)) < tolerance, `layer ${layer}, head ${g}: scores`);
        assert.deepEqual([...selection.kept[g]!], best(scores, keep, Math.min(head, keep), Math.min(tail, keep)), `layer ${layer}, head ${g}`);
        assert.deepEqual(run.kv.layer(layer).headPositions(g), selection.kept[g]);
        return selection.kept[g]!;
      });
      const cut = (part: "keys" | "values") => Float64Array.from(kept.flatMap((positions, g) => [...positions].flatMap((t) => [...cache[part].subarray((g * n + t) * h, (g * n + t + 1) * h)])));
      return { keys: cut("keys"), values: cut("values"), positions: [...kept[0]!] };
    });
    assert.ok(relativeError(run.logits, plain.logits) < TIGHT, "the prompt's own logits are those of no pruning");
    assert.ok((await verifyRun(run)).ok);
    const next = forward(tiny.config, tiny.weights, [7, 91], { caches, positions: [n, n + 1], allLogits: true });
    const logits = await run.extend([7, 91]);
    assert.ok(relativeError(logits, next.allLogits!.flatMap((row) => [...row])) < 2 * TIGHT, "logits after the cut");
    assert.ok((await verifyRun(run)).ok);
  }

  const prefill = (scoring: CacheScoring, more: Partial<CacheBudget> = {}) => model.prefill(prompt, { preset: budget(scoring, more), scores: true });

  /** Mean over the last `window` queries, tokens of the window as nothing, neighbours pooled. */
  const looked = (layer: number, head: number, window: number, kernel: number, pool: (values: number[]) => number): number[] => {
    const paid = mean(Array.from({ length: window }, (_, i) => pays(layer, head, n - window + i))).map((value, i) => (i < n - window ? value : 0));
    const side = (kernel - 1) / 2;
    return paid.map((_, i) => pool(Array.from({ length: kernel }, (_, k) => paid[i + k - side] ?? 0)));
  };
  const average = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;

  test("window attention: mean of a window's attention, pooled, averaged over a group", async () => {
    const run = await prefill({ kind: "window attention", window: 6, kernel: 5, pool: "mean", heads: "group mean" });
    await holds(run, (layer, g) => mean(headsOf(g).map((head) => looked(layer, head, 6, 5, average))), { head: 0, tail: 6 });
  });

  test("window attention with the largest of neighbours and the sum over a group", async () => {
    const run = await prefill({ kind: "window attention", window: 4, kernel: 3, pool: "max", heads: "group sum" });
    await holds(run, (layer, g) => mean(headsOf(g).map((head) => looked(layer, head, 4, 3, (values) => Math.max(...values)))).map((x) => x * shape().group), { head: 0, tail: 4 });
  });

  test("a pyramid gives each layer a budget of its own", async () => {
    const run = await prefill({ kind: "window attention", window: 6, kernel: 5, pool: "mean", heads: "group mean" }, { layers: { pyramid: 2 } });
    assert.deepEqual(run.plan.kvLengths, [36, 24, 12]);
    await holds(run, (layer, g) => mean(headsOf(g).map((head) => looked(layer, head, 6, 5, average))), { head: 0, tail: 6 });
  });

  test("TOVA: the last token's attention over all heads, the same tokens in each", async () => {
    const run = await model.prefill(prompt, { preset: "tova", scores: true });
    await holds(run, (layer) => mean(Array.from({ length: shape().heads }, (_, head) => pays(layer, head, n - 1))), { head: 0, tail: 1 });
    assert.deepEqual(run.kv.layer(1).headPositions(0), run.kv.layer(1).headPositions(1));
  });

  test("H2O: the sum of what all tokens pay, and the latest half of the budget", async () => {
    const run = await model.prefill(prompt, { preset: "h2o", scores: true });
    const all = (layer: number, head: number) => mean(Array.from({ length: n }, (_, t) => pays(layer, head, t))).map((x) => x * n);
    await holds(run, (layer, g) => mean(headsOf(g).map((head) => all(layer, head))), { head: 0, tail: 12 });
  });

  test("Knorm: minus the norm of keys", async () => {
    await holds(await model.prefill(prompt, { preset: "knorm", scores: true }), (layer, g) => vectors(plain.caches[layer]!, "keys", g).map((key) => -norm(key)), { head: 0, tail: 0 });
  });

  test("KeyDiff: minus the cosine to the mean of the keys' directions", async () => {
    const scores = (layer: number, g: number) => {
      const keys = vectors(plain.caches[layer]!, "keys", g);
      const anchor = mean(keys.map((key) => key.map((x) => x / norm(key))));
      return keys.map((key) => -dot(key, anchor) / (norm(key) * norm(anchor)));
    };
    await holds(await model.prefill(prompt, { preset: "keydiff:0.25", scores: true }), scores, { head: 0, tail: 0 });
  });

  test("StreamingLLM: the first four and the latest", async () => {
    const run = await model.prefill(prompt, { preset: "streamingllm:20", scores: true });
    await holds(run, () => Array.from({ length: n }, (_, i) => i), { head: 4, tail: 0 });
    assert.deepEqual([...run.kv.layer(2).positions].slice(0, 5), [0, 1, 2, 3, 32]);
  });

  test("ExpectedAttention: mean and covariance of the prompt's queries, turned by the mean rotation to come", async () => {
    const [sinks, future] = [3, 40];
    const scores = (layer: number, g: number) => {
      const { h } = shape();
      const frequencies = rotaryFrequencies(tiny.config);
      // The mean of the rotations as a matrix: its columns are where the unit vectors go.
      const columns = Array.from({ length: h }, (_, i) => {
        const unit = Float64Array.from({ length: h }, (_, k) => Number(k === i));
        return mean(Array.from({ length: future }, (_, p) => rotate(unit, n + p, frequencies)));
      });
      const turn = (x: ArrayLike<number>) => Array.from({ length: h }, (_, row) => columns.reduce((sum, column, i) => sum + column[row]! * x[i]!, 0));
      const keys = vectors(plain.caches[layer]!, "keys", g).slice(sinks);
      const byHead = headsOf(g).map((head) => {
        const queries = raw[layer]![head]!.slice(sinks);
        const mu = mean(queries);
        const turnedMean = turn(mu);
        // R C Rᵀ as the covariance of the turned, centred queries.
        const centred = queries.map((query) => turn(query.map((x, i) => x - mu[i]!)));
        return softmax(keys.map((key) => dot(turnedMean, key) / Math.sqrt(h) + centred.reduce((sum, c) => sum + dot(c, key) ** 2, 0) / queries.length / h / 2));
      });
      const values = vectors(plain.caches[layer]!, "values", g).slice(sinks);
      return [...Array<number>(sinks).fill(0), ...mean(byHead).map((share, i) => share * norm(values[i]!))];
    };
    await holds(await prefill({ kind: "expected attention", future, sinks }), scores, { head: sinks, tail: 0, tolerance: 2e-4 });
  });

  test("LagKV: how tokens stand out against the next part, by rank within their own", async () => {
    const [sinks, lag] = [3, 10];
    // 45 after the sinks: four whole parts, of which three are judged; 15 stay unjudged.
    const scores = (layer: number, g: number) => {
      const spread = (part: "keys" | "values") => {
        const all = vectors(plain.caches[layer]!, part, g);
        return [0, 1, 2].flatMap((p) => {
          const [own, next] = [0, 1].map((step) => all.slice(sinks + (p + step) * lag, sinks + (p + step + 1) * lag));
          const [low, high] = [Math.min, Math.max].map((pick) => Array.from(own![0]!, (_, i) => pick(...next!.map((x) => x[i]!))));
          return softmax(own!.map((x) => {
            const scaled = [...x].map((value, i) => (value - low![i]!) / (high![i]! - low![i]!));
            const center = average(scaled);
            return Math.sqrt(scaled.reduce((sum, value) => sum + (value - center) ** 2, 0) / (scaled.length - 1));
          }));
        });
      };
      const both = mean([spread("keys"), spread("values")]);
      const ranks = both.map((value, i) => {
        const part = both.slice(Math.floor(i / lag) * lag, Math.floor(i / lag) * lag + lag);
        return part.filter((other) => other < value).length;
      });
      return [...Array<number>(sinks).fill(0), ...ranks, ...Array<number>(15).fill(0)];
    };
    await holds(await prefill({ kind: "lag", sinks, lag }), scores, { head: sinks, tail: 15 });
    // Too short to judge anything: the first and the latest.
    const short = await prefill({ kind: "lag", sinks, lag: 30 });
    assert.deepEqual([...short.kv.layer(0).positions].slice(0, 4), [0, 1, 2, 27]);
  });

  test("random: other tokens in each head, layer and seed, the same for the same", async () => {
    const kept = async (seed: number) => (await prefill({ kind: "random", seed })).selections!.map(({ kept: heads }) => heads.map((positions) => [...positions].join()));
    const [first, again, other] = [await kept(1), await kept(1), await kept(2)];
    assert.deepEqual(first, again);
    assert.equal(new Set([...first.flat(), ...other.flat()]).size, 2 * 3 * shape().groups);
  });

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
    await assert.rejects(run.save("/nowhere/at/all"), /save: tried \(the file's layout has no room/);
    await assert.rejects(run.observe([3]), /observe: attention by position is not to be had/);
  });

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

  /** Scores of a stage after block 1, where nothing was pruned before. */
  const stageScores = async (scorer: string) => {
    const run = await model.prefill(prompt, { preset: { name: "staged", baseDepth: 3, stages: [{ afterBlock: 1, ratio: 0.5 }], forced: { head: 0, tail: 6, tailShare: 0 } }, scorer, scores: true });
    return run.stages[0]!;
  };

  test("scorer window: a window's attention, pooled, summed over queries and heads; forced tokens as the method says", async () => {
    const { scores, kept } = await stageScores("window:6:5");
    const expected = mean(Array.from({ length: shape().heads }, (_, head) => looked(1, head, 6, 5, average))).map((x) => x * 6 * shape().heads);
    assert.ok(relativeError(scores!, expected.map((x, i) => (i < n - 6 ? x : scores![i]!))) < TIGHT);
    assert.deepEqual([...kept], best(expected, 24, 0, 6));
  });

  test("scorer last-query: products of the last query and every key before a softmax, mean over heads, pooled", async () => {
    const { h, heads, group } = shape();
    const raws = mean(Array.from({ length: heads }, (_, head) => {
      const query = rotate(raw[1]![head]![n - 1]!, n - 1, rotaryFrequencies(tiny.config));
      return vectors(plain.caches[1]!, "keys", Math.floor(head / group)).map((key, j) => (j === n - 1 ? 0 : dot(query, key) / Math.sqrt(h)));
    }));
    const expected = raws.map((_, i) => average([-1, 0, 1].map((k) => raws[i + k] ?? 0)));
    const { scores, kept } = await stageScores("last-query:3");
    assert.ok(relativeError(scores!, expected) < TIGHT);
    assert.deepEqual([...kept], best(expected, 24, 0, 6));
  });

  test("FastKV: a stage and a budget of the prompt's tokens apart from it, in layers before and after", async () => {
    const fast = { ...methods["fastkv"]!, name: "small", baseDepth: 3, stages: [{ afterBlock: 1, ratio: 0.5 }], scorer: "window:6:5", forced: { head: 0, tail: 6, tailShare: 0 },
      cache: { amount: { ratio: 0.25 }, scoring: { kind: "window attention", window: 6, kernel: 5, pool: "mean", heads: "group sum" } } as CacheBudget };
    const run = await model.prefill(prompt, { preset: fast, scores: true });
    assert.deepEqual([run.plan.tokens, run.kv.lengths], [[48, 48, 24], [12, 12, 12]]);
    for (const layer of [0, 1]) for (let g = 0; g < shape().groups; g++) {
      const scores = mean(headsOf(g).map((head) => looked(layer, head, 6, 5, average)));
      assert.deepEqual([...run.selections![layer]!.kept[g]!], best(scores, 12, 0, 6));
    }
    const passed = new Set(run.stages[0]!.kept);
    for (const positions of run.selections![2]!.kept) assert.ok(positions.every((position) => passed.has(position)) && positions.at(-1) === n - 1);
    assert.ok((await verifyRun(run)).ok);
  });

  test("GemFilter: the last query's products over all heads choose tokens, with which the prompt starts anew", async () => {
    const { h, heads, group } = shape();
    const run = await model.prefill(prompt, { preset: { ...methods["gemfilter"]!, name: "small", baseDepth: 3, stages: [{ afterBlock: 1, tokens: 20 }] }, scores: true });
    const raws = mean(Array.from({ length: heads }, (_, head) => {
      const query = rotate(raw[1]![head]![n - 1]!, n - 1, rotaryFrequencies(tiny.config));
      return vectors(plain.caches[1]!, "keys", Math.floor(head / group)).map((key) => dot(query, key) / Math.sqrt(h));
    }));
    const expected = raws.map((_, i) => average([-2, -1, 0, 1, 2].map((k) => raws[i + k] ?? 0)));
    assert.ok(relativeError(run.stages[0]!.scores!, expected) < TIGHT);
    const kept = best(expected, 20, 0, 0);
    assert.deepEqual([...run.kept], kept);
    // Anew: positions 0 … 19, and what is generated goes on at 20.
    const anew = forward(tiny.config, tiny.weights, kept.map((position) => prompt[position]!));
    assert.ok(relativeError(run.logits, anew.logits) < TIGHT);
    assert.deepEqual([run.kv.lengths, run.plan.tokens, run.position], [[20, 20, 20], [68, 68, 20], n]);
    assert.deepEqual([...run.kv.layer(2).positions], kept);
    const fork = run.fork();
    const next = forward(tiny.config, tiny.weights, [7, 91], { caches: anew.caches, positions: [20, 21], allLogits: true });
    assert.ok(relativeError(await run.extend([7, 91]), next.allLogits!.flatMap((row) => [...row])) < 2 * TIGHT);
    assert.ok((await verifyRun(run)).ok);
    await fork.extend([7]);
    assert.ok(relativeError(await fork.extend([91]), next.allLogits![1]!) < 2 * TIGHT);
    // Work: the first two blocks on all, then everything on those kept.
    const { flops } = model.plan(n, { preset: { ...methods["gemfilter"]!, name: "small", baseDepth: 3, stages: [{ afterBlock: 1, tokens: 20 }] } });
    const whole = model.plan(20).flops;
    assert.ok(flops.exact > whole.exact && flops.exact < model.plan(n).flops.exact + whole.exact);
    await assert.rejects(model.prefill(prompt, { preset: "gemfilter:20", kvPolicy: "retain" }), /KV policy retain \(the prompt starts anew/);
    await assert.rejects(model.prefill(prompt, { preset: "gemfilter:20", capture: ["embedding"] }), /capture \(the prompt goes through the model twice/);
    assert.throws(() => resolveMethod("gemfilter+snapkv"), /restart: true \(needs exactly one stage, no cache budget/);
  });

  test("two methods together: the stages of one, the budget of the other", async () => {
    const run = await model.prefill(prompt, { preset: "keep07+h2o:0.4", scorer: "norm", scores: true });
    assert.deepEqual([run.preset.name, run.kvPolicy, run.plan.tokens, run.kv.lengths], ["keep07+h2o-0.4", "retain", [48, 33, 33], [19, 19, 19]]);
    assert.ok((await verifyRun(run)).ok);
    assert.throws(() => resolveMethod("sdtp+keep07"), /preset sdtp\+keep07: both have stages/);
    assert.throws(() => resolveMethod("snapkv+h2o"), /both have a cache budget/);
    assert.throws(() => resolveMethod("sdtp+nothing"), /preset: nothing \(known/);
  });

  /** A layer's cache in float64, of each head the tokens at `rows`. */
  const cut = (cache: LayerCache, rows: readonly (readonly number[])[]): LayerCache => {
    const { h } = shape();
    const held = cache.keys.length / h / rows.length;
    const part = (values: Float64Array) => Float64Array.from(rows.flatMap((own, g) => own.flatMap((row) => [...values.subarray((g * held + row) * h, (g * held + row + 1) * h)])));
    return { keys: part(cache.keys), values: part(cache.values), positions: rows[0]!.map((row) => cache.positions[row]!) };
  };
  const kinds = {
    "accumulated attention": { cache: { kind: "accumulated attention", recent: 0.5 }, decoding: { kind: "accumulated attention", recent: 0.5 } },
    "last attention": { cache: { kind: "window attention", window: 1, kernel: 1, pool: "mean", heads: "all" }, decoding: { kind: "last attention" } },
    recency: { cache: { kind: "recency", sinks: 4 }, decoding: { kind: "recency", sinks: 4 } },
  } as const;
  for (const [kind, { cache: scoring, decoding }] of Object.entries(kinds)) {
    test(`a budget while decoding, by ${kind}: cut down again every three tokens, and generation goes on from what is left`, async () => {
      const { groups } = shape();
      const amount = { tokens: 20 };
      const growing = await model.prefill(prompt, { preset: { name: "growing", stages: [], baseDepth: 3, cache: { amount, scoring } }, scores: true });
      const run = await model.prefill(prompt, { preset: { name: "cut", stages: [], baseDepth: 3, cache: { amount, scoring }, decoding: { amount, every: 3, scoring: decoding } }, scores: true });
      const fresh = run.fork();
      const after = plain.caches.map((whole, layer) => cut(whole, growing.selections![layer]!.kept.map((own) => [...own])));
      const sums = growing.selections!.map(({ kept, scores }) => kept.map((own, g) => [...own].map((position) => scores![g * n + position]!)));
      const generated = [7, 91, 33];
      let last: readonly (readonly Float32Array[])[] = [];
      for (const id of generated) {
        last = (await growing.observe([id])).byHead;
        sums.forEach((heads, layer) => heads.forEach((row, g) => [...last[layer]![g]!].forEach((paid, slot) => (row[slot] = (row[slot] ?? 0) + paid))));
        await run.extend([id]);
      }
      const whole = forward(tiny.config, tiny.weights, generated, { caches: after, positions: [n, n + 1, n + 2] }).caches;
      const pick = (scores: readonly number[], head: number, tail: number) => {
        const free = [...scores.keys()].slice(head, scores.length - tail).sort((a, b) => scores[b]! - scores[a]! || a - b).slice(0, 20 - head - tail);
        return [...scores.keys()].filter((slot) => slot < head || slot >= scores.length - tail || free.includes(slot));
      };
      const rows = whole.map((_, layer) => Array.from({ length: groups }, (_, g) => {
        if (kind === "recency") return pick(sums[layer]![g]!.map((_, slot) => slot), 4, 0);
        if (kind === "last attention") return pick(mean(last[layer]!), 0, 1);
        return pick(sums[layer]![g]!, 0, 10);
      }));
      assert.deepEqual(run.kv.lengths, [20, 20, 20]);
      rows.forEach((heads, layer) => heads.forEach((own, g) => {
        assert.deepEqual([...run.kv.layer(layer).headPositions(g)], own.map((slot) => growing.kv.layer(layer).headPositions(g)[slot]), `layer ${layer}, head ${g}`);
      }));
      assert.ok((await verifyRun(run)).ok);
      const left = whole.map((layer, l) => cut(layer, rows[l]!));
      const next = forward(tiny.config, tiny.weights, [5], { caches: left, positions: [n + 3] });
      assert.ok(relativeError(await run.extend([5]), next.logits) < 2 * TIGHT);
      // A fork from before goes its own way; the budget holds on.
      for (let i = 0; i < 7; i++) await fresh.extend([i + 1]);
      assert.deepEqual(fresh.kv.lengths, [21, 21, 21]);
      assert.deepEqual(run.kv.lengths, [21, 21, 21]);
      assert.ok((await verifyRun(fresh)).ok);
    });
  }

  test("a saved run has each head's positions, and verifies; one that started anew and one cut while decoding too", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sdtp-cut-"));
    try {
      for (const preset of ["snapkv:0.25", "keep07+knorm:0.3", "gemfilter:20", "streamingllm-decoding:0.5"]) {
        const run = await model.prefill(prompt, { preset, scores: true });
        for (let i = 0; i < 20; i++) await run.extend([i]);
        const file = join(folder, "run.safetensors");
        await run.save(file);
        const loaded = await loadRun(file);
        assert.deepEqual([loaded.preset, loaded.kv.lengths], [run.preset, run.kv.lengths]);
        run.kv.layers.forEach((layer, l) => {
          for (let head = 0; head < layer.kvHeads; head++) {
            assert.deepEqual(loaded.kv.layer(l).headPositions(head), layer.headPositions(head));
            assert.deepEqual(loaded.kv.layer(l).key(head), layer.key(head));
          }
        });
        assert.ok((await verifyRun(loaded)).ok, preset);
        assert.ok((await verifyRun(run)).ok, preset);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("budgets while decoding: by name, beside stages, and where they cannot be had", async () => {
    assert.deepEqual(resolveMethod("sdtp+h2o-decoding:0.4").decoding, { amount: { ratio: 0.4 }, every: 16, scoring: { kind: "accumulated attention", recent: 0.5 } });
    const run = await model.prefill(prompt, { preset: "keep07+tova-decoding:0.25", scorer: "norm" });
    for (let i = 0; i < 40; i++) await run.extend([i]);
    assert.deepEqual(run.kv.lengths, [20, 20, 20]);
    const worker = await load(tiny.folder, { threads: 1, worker: true });
    (await worker.prefill(prompt)).dispose();
    await assert.rejects(worker.prefill(prompt, { preset: "h2o-decoding" }), /preset h2o-decoding: a budget while decoding \(caches must be in this thread's memory/);
    await worker.release();
    assert.throws(() => resolveMethod({ name: "x", baseDepth: 1, stages: [], decoding: { amount: { ratio: 0.5 }, every: 4, scoring: { kind: "last attention" } } }), /decoding: a budget while decoding \(needs one after the prompt/);
    const bad = (decoding: object) => () => resolveMethod({ name: "x", baseDepth: 1, stages: [], cache: { amount: { ratio: 0.5 }, scoring: { kind: "key norm" } }, decoding: { amount: { ratio: 0.5 }, every: 4, scoring: { kind: "last attention" }, ...decoding } as never });
    assert.throws(bad({ every: 0 }), /decoding\.every: 0 \(must be a positive integer/);
    assert.throws(bad({ scoring: { kind: "best" } }), /decoding\.scoring\.kind: best \(must be accumulated attention, /);
    assert.throws(bad({ amount: { ratio: 3 } }), /decoding, ratio: 3/);
  });

  test("every named method keeps exactly its budget at any share, in a worker and in narrow caches as well, and a fork stays apart", async () => {
    for (const method of Object.values(methods).filter(({ cache }) => cache && !sharedBudget(cache))) {
      for (const share of ["0.25", "0.75", "1"]) {
        const run = await model.prefill(prompt, { preset: `${method.name}:${share}`, scores: true });
        assert.deepEqual(run.kv.lengths, run.plan.kvLengths);
        assert.ok((await verifyRun(run)).ok, method.name);
        const fork = run.fork();
        assert.deepEqual(await fork.extend([5]), await run.extend([5]));
        if (share === "1" && method.stages.length === 0) assert.deepEqual(run.kv.lengths, [49, 49, 49]);
      }
    }
    for (const options of [{ worker: true }, { kvDtype: "int8" as const }]) {
      const other = await load(tiny.folder, { threads: 1, ...options });
      const [run, expected] = [await other.prefill(prompt, { preset: "snapkv:0.25" }), await model.prefill(prompt, { preset: "snapkv:0.25" })];
      assert.deepEqual((await run.toHost()).kv.layers.map((layer) => [layer.headPositions(0), layer.headPositions(1)]), expected.kv.layers.map((layer) => [layer.headPositions(0), layer.headPositions(1)]));
      if (options.worker) assert.deepEqual(await run.extend([5]), await expected.extend([5]));
      await other.release();
    }
  });
});

test("budgets: rounding down, never empty, forced tokens give way to a share and refuse a number", () => {
  const lengths = (text: string, tokens: number) => planTokens(resolveMethod(text), tokens, 3).kvLengths;
  assert.deepEqual(lengths("snapkv:0.25", 999), [249, 249, 249]);
  assert.deepEqual(lengths("knorm:0.1", 5), [1, 1, 1]);
  assert.deepEqual(lengths("snapkv:0.25", 100), [25, 25, 25]);
  assert.deepEqual(lengths("streamingllm:300", 200), [200, 200, 200]);
  assert.throws(() => lengths("snapkv:32", 100), /preset snapkv-32: a budget of 32 tokens in layer 0 \(64 always stay there: 0 first and 64 last ones\)/);
  assert.throws(() => lengths("lagkv:100", 600), /a budget of 100 tokens .*\(216 always stay there: 4 first and 212 last ones\)/);
});

test("what is wrong with a cache budget is named with its value", () => {
  const bad = (cache: object) => () => resolveMethod({ name: "x", stages: [], baseDepth: 1, cache: { amount: { ratio: 0.5 }, scoring: { kind: "key norm" }, ...cache } as CacheBudget });
  assert.throws(bad({ amount: { ratio: 2 } }), /preset x, cache, ratio: 2 \(must be above 0/);
  assert.throws(bad({ scoring: { kind: "best" } }), /cache\.scoring\.kind: best \(must be window attention, /);
  assert.throws(bad({ scoring: { kind: "window attention", window: 0, kernel: 5, pool: "mean", heads: "all" } }), /cache\.scoring\.window: 0/);
  assert.throws(bad({ scoring: { kind: "window attention", window: 8, kernel: 4, pool: "mean", heads: "all" } }), /cache\.scoring\.kernel: 4/);
  assert.throws(bad({ scoring: { kind: "key norm", window: 3 } }), /cache\.scoring: window \(is no setting of key norm\)/);
  assert.throws(bad({ layers: { pyramid: 0.5 } }), /cache\.layers\.pyramid: 0\.5/);
  assert.throws(bad({ heads: { safeguard: 2 } }), /cache\.heads\.safeguard: 2/);
  assert.throws(() => resolveMethod("snapkv:0"), /ratio: 0 \(must be above 0/);
  assert.throws(() => resolveMethod("sdtp:0.5"), /preset: sdtp:0\.5 \(known: /);
  assert.throws(() => resolveMethod({ name: "x", kvPolicy: "evict", baseDepth: 4, stages: [{ afterBlock: 1, ratio: 0.5 }], cache: { amount: { ratio: 0.5 }, scoring: { kind: "key norm" } } }), /kvPolicy: evict \(each layer's cache has a budget/);
});
