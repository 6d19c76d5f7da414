import assert from "node:assert/strict";
import { test } from "node:test";
import { GraphBuilder } from "../../../lib/onnx/builder.js";
import { select, stageCounts } from "../../../lib/methods/select.js";
import { normalNumbers } from "../../reference/checkpoints.js";
import { select as referenceSelect } from "../../reference/forward.js";
import { runGraph } from "../onnx/run.js";

interface Counts {
  keep: number;
  head: number;
  tail: number;
}

/** What the graph keeps of tokens with these scores. */
async function kept(scores: readonly number[], { keep, head, tail }: Counts): Promise<number[]> {
  const g = new GraphBuilder();
  const values = g.input("scores", "float32", ["n"]);
  g.output(select(g, values, stageCounts(g, 0), "kept"), "kept");
  const count = (value: number) => ({ dtype: "int64" as const, data: [value], dims: [1] });
  const results = await runGraph(g, {
    scores: { dtype: "float32", data: scores, dims: [scores.length] },
    "stage.0.keep": count(keep), "stage.0.head": count(head), "stage.0.tail": count(tail),
  });
  return results["kept"]!.data;
}

test("the forced tokens and the best of the others stay, in order", async () => {
  assert.deepEqual(await kept([0, 5, 9, 1, 9, 8, 2, 0], { keep: 5, head: 1, tail: 2 }), [0, 2, 4, 6, 7]);
});

test("of equal scores the earlier tokens stay", async () => {
  assert.deepEqual(await kept([3, 3, 3, 3, 3, 3], { keep: 3, head: 0, tail: 0 }), [0, 1, 2]);
  assert.deepEqual(await kept([7, 0, 0, 1, 0, 0, 7], { keep: 5, head: 1, tail: 1 }), [0, 1, 2, 3, 6]);
  const ties = Array.from({ length: 200 }, (_, i) => i % 3);
  const counts = { keep: 90, head: 4, tail: 16 };
  assert.deepEqual(await kept(ties, counts), referenceSelect(ties, counts));
});

test("a score that is not a number, or minus infinity, goes first; plus infinity is no better than forced", async () => {
  assert.deepEqual(await kept([NaN, 1, NaN, -5, NaN, 2], { keep: 3, head: 0, tail: 0 }), [1, 3, 5]);
  assert.deepEqual(await kept([-Infinity, 1, -1e38, 2], { keep: 3, head: 0, tail: 0 }), [1, 2, 3]);
  assert.deepEqual(await kept([0, Infinity, Infinity, Infinity, 0], { keep: 3, head: 1, tail: 1 }), [0, 1, 4]);
  assert.deepEqual(await kept([NaN, NaN, NaN, NaN, NaN], { keep: 3, head: 1, tail: 1 }), [0, 1, 4]);
});

test("keep = all tokens: everything stays, whatever the scores", async () => {
  assert.deepEqual(await kept([NaN, -Infinity, 3, 0], { keep: 4, head: 1, tail: 1 }), [0, 1, 2, 3]);
  assert.deepEqual(await kept([1], { keep: 1, head: 1, tail: 0 }), [0]);
});

test("keep = forced tokens: nothing else stays", async () => {
  assert.deepEqual(await kept([0, 9, 9, 9, 0, 0], { keep: 3, head: 1, tail: 2 }), [0, 4, 5]);
});

test("random scores of many lengths: as a sort says", async () => {
  const normal = normalNumbers(11);
  for (const n of [21, 64, 333, 1000]) {
    const scores = Array.from({ length: n }, () => Math.fround(normal()));
    const counts = { keep: Math.floor(0.6 * n), head: 4, tail: Math.max(16, Math.floor(0.1 * n)) };
    const keep = Math.max(counts.keep, counts.head + counts.tail);
    assert.deepEqual(await kept(scores, { ...counts, keep }), referenceSelect(scores, { ...counts, keep }));
  }
});
