// What each kind of scoring leaves of a cache, against scores and caches computed in float64.
import assert from "node:assert/strict";
import { test } from "node:test";
import { dot, softmax } from "../../reference/operations.js";
import { rotaryFrequencies, rotate } from "../../reference/rotary.js";
import { headsOf, holds, looked, model, n, norm, pass, pays, plain, prefill, prompt, shape, tiny, vectors } from "./cut-caches.js";
import { average, mean } from "./float64.js";

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
      const queries = pass.rawQueries(layer, head).slice(sinks);
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
