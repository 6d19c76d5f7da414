// What tests of cut caches have in common: what a run must hold of the plain pass.
import assert from "node:assert/strict";
import type { CacheBudget, CacheScoring } from "../../../lib/methods/cache/budget.js";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import { verifyRun } from "../../../lib/inspect/verify.js";
import type { Run } from "../../../lib/runtime/run.js";
import { headDimOf, kvHeadsOf } from "../../reference/config.js";
import { forward, type LayerCache } from "../../reference/forward.js";
import { dot, softmax, type Vector } from "../../reference/operations.js";
import { rotaryFrequencies, rotate } from "../../reference/rotary.js";
import { relativeError } from "../inspect/setup.js";
import { best, mean, pooled } from "./float64.js";
import { model, n, pass, plain, prompt, TIGHT, tiny } from "./plain-pass.js";

export { model, n, pass, plain, prompt, TIGHT, tiny } from "./plain-pass.js";

export const budget = (scoring: CacheScoring, more: Partial<CacheBudget> = {}) =>
  resolveMethod({ name: "tried", stages: [], baseDepth: 3, cache: { amount: { ratio: 0.5 }, scoring, ...more } });

export const shape = () => {
  const [heads, groups, h] = [tiny.config.num_attention_heads, kvHeadsOf(tiny.config), headDimOf(tiny.config)];
  return { heads, groups, h, group: heads / groups };
};
export const vectors = (cache: LayerCache, part: "keys" | "values", g: number): Vector[] => {
  const { h } = shape();
  return Array.from({ length: n }, (_, t) => Float64Array.from(cache[part].subarray((g * n + t) * h, (g * n + t + 1) * h)));
};
/** What the query of token `t` pays, `[n]`. */
export const pays = (layer: number, head: number, t: number): number[] => {
  const { h, group } = shape();
  const query = rotate(pass.rawQueries(layer, head)[t]!, t, rotaryFrequencies(tiny.config));
  return softmax(vectors(plain.caches[layer]!, "keys", Math.floor(head / group)).map((key, j) => (j > t ? -Infinity : dot(query, key) / Math.sqrt(h))));
};
export const norm = (x: ArrayLike<number>) => Math.sqrt(dot(x, x));
export const headsOf = (g: number) => Array.from({ length: shape().group }, (_, i) => g * shape().group + i);

/** The run keeps what these scores say, verifies, and generates what the reference generates from the same caches. */
export async function holds(run: Run, expected: (layer: number, head: number) => number[], { head, tail, tolerance = TIGHT }: { head: number; tail: number; tolerance?: number }) {
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

export const prefill = (scoring: CacheScoring, more: Partial<CacheBudget> = {}) => model.prefill(prompt, { preset: budget(scoring, more), scores: true });

/** Mean over the last `window` queries, tokens of the window as nothing, neighbours pooled. */
export const looked = (layer: number, head: number, window: number, kernel: number, pool: (values: number[]) => number): number[] => {
  const paid = mean(Array.from({ length: window }, (_, i) => pays(layer, head, n - window + i))).map((value, i) => (i < n - window ? value : 0));
  return pooled(paid, kernel, pool);
};
