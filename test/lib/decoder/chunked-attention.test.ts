import assert from "node:assert/strict";
import { test } from "node:test";
import { openFolder } from "../../../lib/checkpoint/open.js";
import { checkpointWeights, weightsFolder } from "../../../lib/decoder/checkpoint-weights.js";
import { prefillGraph } from "../../../lib/decoder/prefill.js";
import { planAttention, windowScoreBytes } from "../../../lib/methods/plan/pieces.js";
import { RotaryTables } from "../../../lib/decoder/rotary.js";
import { GraphBuilder } from "../../../lib/onnx/builder.js";
import { StandardBuilder } from "../../../lib/onnx/standard-builder.js";
import { norm } from "../../../lib/methods/scorers/norm.js";
import { rotaryFeeds } from "../../../lib/runtime/rotary-feeds.js";
import { createSession } from "../../../lib/runtime/session.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { forward } from "../../reference/forward.js";
import { Tensor } from "onnxruntime-node";

for (const n of [7, 32, 45]) for (const apart of [false, true]) {
  test(`queries in 4 groups of ${n} tokens give the reference's logits, with a sliding window${apart ? ", heads apart, in two works, in ONNX's own operators" : ""}`, async (t) => {
    const tiny = tinyCheckpoint("mistral");
    t.after(() => tiny.remove());
    const checkpoint = await openFolder(tiny.folder);
    const { config } = checkpoint;
    const ids = Array.from({ length: n }, (_, i) => (i * 13 + 2) % config.vocabSize);
    const expected = forward(tiny.config, tiny.weights, ids).logits;
    const scale = Math.max(...expected.map(Math.abs));
    for (const [kind, windowTiled] of [["plain", true], ["fused", true], ["fused", false]] as const) {
      if (apart && kind === "fused") continue;
      const g = apart ? new StandardBuilder() : new GraphBuilder();
      const attention = { kind, fusedChunks: 4, tiled: true, chunks: 4, windowed: true, windowTiled };
      prefillGraph(g, checkpointWeights(g, checkpoint), { config, stages: [], scorer: null, attention, ...(apart && { headsApart: true, works: 2 }) });
      assert.equal(g.nodes.filter(({ op }) => op === "ExpandDims").length, apart ? 1 : 0);
      const session = await createSession(g, { threads: 1, folder: weightsFolder(checkpoint) });
      const results = await session.run({
        ids: new Tensor("int64", BigInt64Array.from(ids, BigInt), [1, n]),
        ...rotaryFeeds(new RotaryTables(config).prompt(n)),
      });
      (results["logits"]!.data as Float32Array).forEach((value, i) => assert.ok(Math.abs(value - expected[i]!) < 1e-4 * scale, `${kind}, ${windowTiled}: logit ${i}`));
      await session.release();
    }
  });
}

test("scores of long prompts are taken in pieces of bounded size", () => {
  const config = { slidingWindow: 4096, headDim: 128, heads: 32 } as Parameters<typeof planAttention>[0];
  assert.deepEqual(planAttention(config, 4096), { kind: "fused", fusedChunks: 1, tiled: true, windowTiled: true, chunks: 1, windowed: false });
  const long = planAttention(config, 8192);
  assert.equal(long.windowed, true);
  assert.ok((4 * 32 * 8192 * 8192) / long.chunks <= 2 ** 28);
  assert.equal(planAttention({ ...config, headDim: 12 }, 100).kind, "plain");
});

for (const family of ["llama", "mistral"] as const) {
  test(`${family}: fused attention in 16 pieces gives what one piece gives, kept positions and caches too, in tiles or not`, async (t) => {
    const tiny = tinyCheckpoint(family);
    t.after(() => tiny.remove());
    const checkpoint = await openFolder(tiny.folder);
    const { config } = checkpoint;
    const n = 37;
    const windowed = config.slidingWindow !== null && n > config.slidingWindow;
    const run = async (fusedChunks: number, tiled: boolean) => {
      const g = new GraphBuilder();
      prefillGraph(g, checkpointWeights(g, checkpoint), { config, stages: [0], scorer: norm, attention: { kind: "fused", fusedChunks, tiled, chunks: 1, windowed, windowTiled: tiled } });
      const session = await createSession(g, { threads: 1, folder: weightsFolder(checkpoint) });
      const ids = Array.from({ length: n }, (_, i) => (i * 13 + 2) % config.vocabSize);
      const count = (value: number) => new Tensor("int64", BigInt64Array.of(BigInt(value)), [1]);
      const results = await session.run({
        ids: new Tensor("int64", BigInt64Array.from(ids, BigInt), [1, n]),
        ...rotaryFeeds(new RotaryTables(config).prompt(n)),
        "stage.0.keep": count(19), "stage.0.head": count(2), "stage.0.tail": count(3),
      });
      await session.release();
      return results;
    };
    const whole = await run(1, true);
    assert.equal(whole["kept.0"]!.dims[0], 19);
    for (const other of [await run(16, true), await run(1, false), await run(16, false)]) {
      for (const [name, tensor] of Object.entries(whole)) {
        assert.deepEqual(other[name]!.dims, tensor.dims, name);
        if (tensor.type === "int64") assert.deepEqual(other[name]!.data, tensor.data, name);
        else (tensor.data as Float32Array).forEach((value, i) => assert.ok(Math.abs((other[name]!.data as Float32Array)[i]! - value) < 1e-5, `${name}[${i}]`));
      }
    }
  });
}

test("pieces only where every block gets a token for each, and on request", () => {
  const config = { slidingWindow: null, headDim: 64, heads: 8 } as Parameters<typeof planAttention>[0];
  assert.equal(planAttention(config, 4096, { fewest: 16 }).fusedChunks, 16);
  assert.equal(planAttention(config, 4096, { fewest: 15 }).fusedChunks, 1);
  assert.equal(planAttention(config, 4096).fusedChunks, 1);
  assert.equal(planAttention(config, 4096, { fewest: 4096, plain: true }).fusedChunks, 1);
});

test("on a CPU scores of a piece are held at once where they fit, within a window those of its keys, else there are tiles", () => {
  const config = { slidingWindow: null, headDim: 64, heads: 8 } as Parameters<typeof planAttention>[0];
  const plan = (n: number, other = {}) => planAttention({ ...config, ...other }, n, { fewest: n });
  assert.deepEqual([300, 512, 1024, 2048, 8192, 16384].map((n) => plan(n).fusedChunks), [1, 4, 4, 8, 32, 32]);
  for (const n of [1, 300, 4096, 16384]) assert.equal(plan(n).tiled, false);
  for (const n of [4096, 16384, 32768, 131072]) {
    const { tiled, fusedChunks } = plan(n);
    assert.equal(tiled, (4 * 8 * n * n) / fusedChunks > 2 ** 28, `${n}`);
  }
  assert.deepEqual(plan(32768), { kind: "fused", fusedChunks: 16, tiled: true, windowTiled: true, chunks: 1, windowed: false });
  // A piece of a layer with a window has no keys but the window's and its own.
  const windowed = (n: number, window: number) => plan(n, { slidingWindow: window, fullLayers: [] });
  assert.deepEqual(windowed(4096, 1024), { kind: "fused", fusedChunks: 16, tiled: false, windowTiled: false, chunks: 2, windowed: true });
  assert.deepEqual(windowed(32768, 1024), { kind: "fused", fusedChunks: 32, tiled: true, windowTiled: false, chunks: 128, windowed: true });
  assert.equal(windowed(131072, 4096).windowTiled, true);
  assert.equal(windowScoreBytes({ heads: 8, slidingWindow: 1024 }, 4096, 16), 4 * 8 * 256 * (1024 + 256));
  assert.equal(planAttention(config, 4096).tiled, true);
});

test("pieces differ by at most one in length, and may be empty", async () => {
  const g = new GraphBuilder();
  g.splitEvenly(g.input("x", "float32", ["n", 2]), 0, 4, (part) => `n/4.${part}`).forEach((part, i) => g.output(part, `part.${i}`));
  const session = await createSession(g, { threads: 1 });
  for (const [n, lengths] of [[3, [0, 1, 1, 1]], [9, [2, 2, 2, 3]], [8, [2, 2, 2, 2]]] as const) {
    const parts = await session.run({ x: new Tensor("float32", Float32Array.from({ length: 2 * n }, (_, i) => i), [n, 2]) });
    assert.deepEqual(lengths.map((_, i) => parts[`part.${i}`]!.dims[0]), lengths);
    assert.deepEqual(lengths.flatMap((_, i) => [...(parts[`part.${i}`]!.data as Float32Array)]), Array.from({ length: 2 * n }, (_, i) => i));
  }
  await session.release();
});
