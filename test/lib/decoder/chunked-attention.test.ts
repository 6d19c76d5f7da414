import assert from "node:assert/strict";
import { test } from "node:test";
import { openFolder } from "../../../lib/checkpoint/open.js";
import { checkpointWeights, weightsFolder } from "../../../lib/decoder/checkpoint-weights.js";
import { planAttention, prefillGraph } from "../../../lib/decoder/prefill.js";
import { inverseFrequencies, rotaryTable } from "../../../lib/decoder/rotary.js";
import { GraphBuilder } from "../../../lib/onnx/builder.js";
import { createSession } from "../../../lib/runtime/session.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { forward } from "../../reference/forward.js";
import { Tensor } from "onnxruntime-node";

for (const n of [7, 32, 45]) {
  test(`queries in 4 groups of ${n} tokens give the reference's logits, with a sliding window`, async (t) => {
    const tiny = tinyCheckpoint("mistral");
    t.after(() => tiny.remove());
    const checkpoint = await openFolder(tiny.folder);
    const { config } = checkpoint;
    const g = new GraphBuilder();
    prefillGraph(g, checkpointWeights(g, checkpoint), { config, stages: [], scorer: null, attention: { kind: "plain", chunks: 4, windowed: true } });
    const session = await createSession(g, { threads: 1, folder: weightsFolder(checkpoint) });
    const ids = Array.from({ length: n }, (_, i) => (i * 13 + 2) % config.vocabSize);
    const { cos, sin, width } = rotaryTable(inverseFrequencies(config), ids.map((_, i) => i));
    const results = await session.run({
      ids: new Tensor("int64", BigInt64Array.from(ids, BigInt), [1, n]),
      cos: new Tensor("float32", cos, [n, width]),
      sin: new Tensor("float32", sin, [n, width]),
    });
    const expected = forward(tiny.config, tiny.weights, ids).logits;
    const scale = Math.max(...expected.map(Math.abs));
    (results["logits"]!.data as Float32Array).forEach((value, i) => assert.ok(Math.abs(value - expected[i]!) < 1e-4 * scale));
    await session.release();
  });
}

test("scores of long prompts are taken in pieces of bounded size", () => {
  const config = { slidingWindow: 4096, headDim: 128, heads: 32 } as Parameters<typeof planAttention>[0];
  assert.deepEqual(planAttention(config, 4096), { kind: "fused", chunks: 1, windowed: false });
  const long = planAttention(config, 8192);
  assert.equal(long.windowed, true);
  assert.ok((4 * 32 * 8192 * 8192) / long.chunks <= 2 ** 28);
  assert.equal(planAttention({ ...config, headDim: 12 }, 100).kind, "plain");
});
