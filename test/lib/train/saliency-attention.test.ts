import assert from "node:assert/strict";
import { test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import type { Checkpoint } from "../../../lib/checkpoint/types.js";
import { repetition } from "../../../lib/runtime/repeating.js";
import type { Example } from "../../../lib/train/examples.js";
import { SaliencyMeter, type SaliencyOptions } from "../../../lib/train/saliency.js";
import { tinyCheckpoint, type TinyCheckpoint } from "../../reference/checkpoints.js";
import { forward } from "../../reference/forward.js";
import { Pass } from "../methods/float64.js";

const example: Example = { ids: Array.from({ length: 24 }, (_, i) => (i * 29 + 3) % 250), promptLength: 18 };

async function measured(checkpoint: Checkpoint, options: Omit<SaliencyOptions, "threads">) {
  const meter = await SaliencyMeter.create(checkpoint, { ...options, threads: 1 });
  try {
    return await meter.measure(example);
  } finally {
    await meter.release();
  }
}

/** What each of `rows` pays to all tokens in `layers`, the most of all heads: `[rows][n]`, written out. */
function most(tiny: TinyCheckpoint, ids: readonly number[], layers: readonly number[], rows: readonly number[]): number[][] {
  const pass = new Pass(tiny, forward(tiny.config, tiny.weights, ids), ids);
  const all = layers.flatMap((layer) => Array.from({ length: pass.heads }, (_, head) => pass.paid(layer, head, ids.length)));
  return rows.map((row) => ids.map((_, token) => Math.max(...all.map((weights) => weights[row]![token]!))));
}

const column = (rows: readonly number[][], of: (values: number[]) => number) => rows[0]!.map((_, token) => of(rows.map((row) => row[token]!)));
const close = (found: Float32Array, expected: readonly number[], label: string) => {
  assert.equal(found.length, expected.length);
  expected.forEach((value, token) => assert.ok(Math.abs(found[token]! - value) < 1e-5, `${label}, token ${token}: ${found[token]} instead of ${value}`));
};

test("attention: of each token that predicts the response what it pays at most in later blocks, and their mean", async (t) => {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const { values, states } = await measured(await openCheckpoint(tiny.folder), { blocks: [0, 1, 2], target: "attention", states: true });
  const rows = Array.from({ length: 6 }, (_, i) => 17 + i);
  const mean = (some: number[]) => some.reduce((a, b) => a + b, 0) / some.length;
  close(values[0]!, column(most(tiny, example.ids, [1, 2], rows), mean), "after block 0");
  close(values[1]!, column(most(tiny, example.ids, [2], rows), mean), "after block 1");
  close(values[2]!, example.ids.map(() => 0), "after the last block");
  const { hidden } = forward(tiny.config, tiny.weights, example.ids);
  assert.ok(Math.abs(states![1]![5 * tiny.config.hidden_size + 3]! - hidden[1]![5]![3]!) < 1e-4);
});

test("reconstruction: what the prompt said again pays at most; the response does not matter", async () => {
  const checkpoint = await openCheckpoint("tiny");
  const { values } = await measured(checkpoint, { blocks: [3], target: "reconstruction" });
  const prompt = example.ids.slice(0, example.promptLength);
  const { from, requests } = await repetition(checkpoint, prompt, prompt.length, "");
  // The same by the lookahead's graph, its response the prompt itself, and the most of single tokens' lookaheads instead of their mean.
  const asked = [...prompt, ...requests[0]!];
  const again = [...asked, ...prompt.slice(from)];
  const meter = await SaliencyMeter.create(checkpoint, { blocks: [3], target: "attention", threads: 1 });
  const singles: Float32Array[] = [];
  for (let end = asked.length + 1; end <= again.length; end++) singles.push((await meter.measure({ ids: again.slice(0, end), promptLength: end - 1 })).values[0]!);
  await meter.release();
  close(values[0]!, example.ids.map((_, token) => (token >= from && token < prompt.length ? Math.max(...singles.map((single) => single[token]!)) : 0)), "after block 3");
  assert.ok(Math.max(...values[0]!) > 0.05);
});

test("what attention is asked of is the response's alone, and a prompt is said again only where there is room", async (t) => {
  const checkpoint = await openCheckpoint("tiny");
  await assert.rejects(SaliencyMeter.create(checkpoint, { blocks: [0], target: "attention", loss: "all" }), /saliency loss: all \(target attention is what the response looks at: must be response\)/);
  const tiny = tinyCheckpoint("llama", { config: { max_position_embeddings: 32 } });
  t.after(() => tiny.remove());
  await assert.rejects(measured(await openCheckpoint(tiny.folder), { blocks: [0], target: "reconstruction" }), /saliency reconstruction: \d+ positions \(a prompt of 18 tokens is repeated behind itself/);
});
