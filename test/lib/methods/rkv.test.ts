// R-KV against a float64 pass: after a prompt, and while decoding.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import { verifyRun } from "../../../lib/inspect/verify.js";
import { load } from "../../../lib/runtime/model.js";
import { forward } from "../../reference/forward.js";
import { dot, softmax, type Vector } from "../../reference/operations.js";
import { relativeError } from "../inspect/setup.js";
import { best, cut, mean, Pass, pooled } from "./float64.js";
import { model, n, pass, plain, prompt, tiny } from "./plain-pass.js";

const [WINDOW, KERNEL, LAMBDA, THRESHOLD] = [4, 3, 0.3, 0.2];
const scoring = { kind: "redundancy", window: WINDOW, kernel: KERNEL, lambda: LAMBDA, threshold: THRESHOLD } as const;

/** Written out as its code has it: a matrix of cosines, an entry of each row taken out, the mean over rows. */
function likeness(keys: readonly Vector[]): number[] {
  const unit = keys.map((key) => key.map((x) => x / (Math.sqrt(dot(key, key)) + 1e-8)));
  const cosines = unit.map((a, i) => unit.map((b, j) => (i === j ? 0 : dot(a, b))));
  for (const row of cosines) row[Math.max(0, row.findLastIndex((cosine) => cosine > THRESHOLD))] = 0;
  return softmax(mean(cosines));
}

suite("R-KV", () => {
  /** @param looking queries of the window by head, `[heads][window]` */
  function scores(pass: Pass, keys: readonly Vector[], g: number, looking: readonly (readonly Vector[])[]): number[] {
    const count = keys.length - WINDOW;
    const attention = mean(Array.from({ length: WINDOW }, (_, i) => {
      const products = pass.sharing(g).map((head) => pass.products(looking[head]![i]!, keys.slice(0, count)));
      return softmax(products[0]!.map((_, j) => Math.max(...products.map((row) => row[j]!))));
    }));
    const looked = [...pooled(attention, KERNEL, (some) => Math.max(...some)), ...Array<number>(WINDOW).fill(0)];
    const alike = likeness(keys);
    return looked.map((value, j) => LAMBDA * value - (1 - LAMBDA) * alike[j]!);
  }
  const preset = (tokens: number, every = 5) => resolveMethod({ name: "small", baseDepth: 3, stages: [], cache: { amount: { tokens }, scoring }, decoding: { amount: { tokens }, every, scoring } });

  test("after a prompt, and again every five tokens; generation goes on from what is left", async () => {
    const run = await model.prefill(prompt, { preset: preset(20), scores: true });
    const fresh = run.fork();
    const rows = plain.caches.map((_, layer) => {
      const looking = Array.from({ length: pass.heads }, (_, head) => pass.queries(layer, head).slice(-WINDOW));
      return Array.from({ length: pass.groups }, (_, g) => {
        const expected = scores(pass, pass.vectors(layer, "keys", g), g, looking);
        assert.ok(relativeError(run.selections![layer]!.scores!.subarray(g * n, (g + 1) * n - WINDOW), expected.slice(0, -WINDOW)) < 1e-4, `layer ${layer}, head ${g}`);
        const own = best(expected, 20, 0, WINDOW);
        assert.deepEqual([...run.kv.layer(layer).headPositions(g)], own);
        return own;
      });
    });
    assert.ok((await verifyRun(run)).ok);
    const left = plain.caches.map((cache, layer) => cut(cache, rows[layer]!, pass.headDim));
    const generated = [7, 91, 33, 5, 120];
    const positions = generated.map((_, i) => n + i);
    // Two at a time or one by one: the same.
    await run.extend(generated.slice(0, 2));
    for (const id of generated.slice(2)) await run.extend([id]);
    assert.deepEqual(run.kv.lengths, [20, 20, 20]);
    const grown = forward(tiny.config, tiny.weights, generated, { caches: left, positions });
    const later = new Pass(tiny, grown, generated, positions);
    const last = grown.caches.map((cache, layer) => {
      const looking = Array.from({ length: later.heads }, (_, head) => later.queries(layer, head).slice(-WINDOW));
      const kept = Array.from({ length: later.groups }, (_, g) => best(scores(later, later.vectors(layer, "keys", g), g, looking), 20, 0, WINDOW));
      kept.forEach((own, g) => assert.deepEqual([...run.kv.layer(layer).headPositions(g)], own.map((slot) => [...rows[layer]![g]!, ...positions][slot]), `layer ${layer}, head ${g}`));
      return cut(cache, kept, later.headDim);
    });
    assert.ok((await verifyRun(run)).ok);
    const next = forward(tiny.config, tiny.weights, [5], { caches: last, positions: [n + 5] });
    assert.ok(relativeError(await run.extend([5]), next.logits) < 4e-5);
    // A fork from before goes its own way, its window its own.
    for (const id of generated) await fresh.extend([id]);
    assert.deepEqual(fresh.kv.layers.map((layer) => [...layer.headPositions(1)]), last.map((_, layer) => [...run.kv.layer(layer).headPositions(1)].filter((at) => at < n + 5)));
  });

  test("by name, in narrow caches, beside stages; a prompt shorter than the window keeps all", async () => {
    const other = await load(tiny.folder, { threads: 1, kvDtype: "int8" });
    const run = await other.prefill(prompt, { preset: "keep07+rkv:24", scorer: "norm", scores: true });
    for (let i = 0; i < 130; i++) await run.extend([i]);
    assert.deepEqual(run.kv.lengths, [26, 26, 26]);
    assert.ok((await verifyRun(run)).ok);
    await other.release();
    const short = await model.prefill(prompt.slice(0, 6), { preset: "rkv:2", scores: true }).then(() => null, (error: Error) => error.message);
    assert.match(short!, /a budget of 2 tokens in layer 0 \(6 always stay there/);
    const whole = await model.prefill(prompt.slice(0, 6), { preset: "rkv:12", scores: true });
    assert.deepEqual(whole.kv.lengths, [6, 6, 6]);
    for (let i = 0; i < 3; i++) await whole.extend([i]);
    assert.ok((await verifyRun(whole)).ok);
  });

  test("what is wrong is named", () => {
    const bad = (decoding: object) => () => resolveMethod({ ...preset(20), decoding: { ...preset(20).decoding!, ...decoding } as never });
    assert.throws(bad({ every: 3 }), /decoding\.every: 3 \(must be 4 or more: so many generated tokens look\)/);
    assert.throws(bad({ scoring: { ...scoring, lambda: 2 } }), /scoring\.lambda: 2/);
    assert.throws(bad({ scoring: { ...scoring, kernel: 4 } }), /scoring\.kernel: 4/);
  });
});
