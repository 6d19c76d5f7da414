// Quantised weights in the engine against the plain float64 pass with the values that they stand for.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { readFloats } from "../../../lib/checkpoint/safetensors.js";
import type { Checkpoint } from "../../../lib/checkpoint/types.js";
import { allValues } from "../../../lib/checkpoint/values.js";
import { checkpointWeights, weightsFolder } from "../../../lib/decoder/checkpoint-weights.js";
import { saliencyGraph } from "../../../lib/decoder/saliency.js";
import { valueWeights } from "../../../lib/decoder/weights.js";
import { GraphBuilder } from "../../../lib/onnx/builder.js";
import { load } from "../../../lib/runtime/model.js";
import { createSession } from "../../../lib/runtime/session.js";
import { exampleFeeds } from "../../../lib/train/example-feeds.js";
import { asStored } from "../../reference/as-stored.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { forward } from "../../reference/forward.js";
import { TINY_VOCABULARY } from "../../reference/tokenizer.js";
import type { Variant } from "../../reference/variants.js";
import { relativeError } from "../relative-error.js";

const cacheFolder = mkdtempSync(join(tmpdir(), "sdtp-quantised-"));
after(() => rmSync(cacheFolder, { recursive: true, force: true }));
const ids = Array.from({ length: 40 }, (_, i) => (i * 37 + 11 * (i % 7)) % TINY_VOCABULARY);

/** The values that a checkpoint's weights stand for. */
async function valuesOf(checkpoint: Checkpoint): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const [name, stored] of checkpoint.tensors) values.set(name, await (stored.quantization ? allValues(stored) : readFloats(stored)));
  return values;
}

const cases: [Variant, string][] = [
  ["llama", "int4"], ["llama", "int4:symmetric"], ["mistral", "int8"], ["qwen2", "int8:asymmetric:embedding=int4:head=fp16"],
  ["qwen2-tied", "int4:nearest:head=int4"], ["qwen3-tied", "int4:nearest"], ["llama-linear-biases", "int4:nearest:embedding=fp32:head=fp32"], ["qwen3", "fp16"],
  ["gpt2", "int4"], ["bloom", "int8:embedding=fp16:head=fp16"], ["bloom-six-heads", "int4:nearest"], ["phi3", "int4:nearest"], ["gemma2", "int4"],
];
for (const [variant, dtype] of cases) {
  describe(`${variant} in ${dtype}`, async () => {
    const tiny = tinyCheckpoint(variant);
    const models = await Promise.all((["float32", "int8"] as const).map((accuracy) => load(tiny.folder, { dtype, accuracy, cacheFolder, threads: 1 })));
    const [exact, fast] = models as [typeof models[0], typeof models[0]];
    const weights = await valuesOf(exact!.checkpoint);
    const config = { ...tiny.config, tie_word_embeddings: tiny.config.tie_word_embeddings! && !weights.has("lm_head.weight") };
    const expected = forward(config, asStored(config, weights), ids, { allLogits: true }).allLogits!;
    after(async () => {
      for (const model of models) await model.release();
      tiny.remove();
    });

    test("prefill and decode give the plain pass's logits", async () => {
      const run = await exact!.prefill(ids.slice(0, 30), { reserve: 2 });
      assert.ok(relativeError(run.logits, expected[29]!) < 1e-4);
      for (let i = 30; i < 34; i++) assert.ok(relativeError(await run.extend([ids[i]!]), expected[i]!) < 1e-4, `token ${i}`);
      const rest = await run.extend(ids.slice(34));
      assert.ok(relativeError(rest.subarray(5 * exact!.config.vocabSize), expected[39]!) < 1e-4);
    });

    test("with int8 activations they are close", async () => {
      const run = await fast!.prefill(ids.slice(0, 39));
      assert.ok(relativeError(run.logits, expected[38]!) < 0.1);
      assert.ok(relativeError(await run.extend([ids[39]!]), expected[39]!) < 0.1);
    });
  });
}

test("gradients go through quantised weights as through the values that they stand for", async (t) => {
  const tiny = tinyCheckpoint("qwen2");
  t.after(() => tiny.remove());
  const { checkpoint } = await load(tiny.folder, { dtype: "int4:nearest", cacheFolder });
  const values = await valuesOf(checkpoint);
  const saliency = async (g: GraphBuilder, weights: ReturnType<typeof valueWeights>) => {
    saliencyGraph(g, weights, { config: checkpoint.config, blocks: [0, 1], target: "gradnorm", objective: "cross-entropy" });
    const session = await createSession(g, { threads: 1, folder: weightsFolder(checkpoint) });
    const results = await session.run(exampleFeeds(checkpoint.config, { ids: ids.slice(0, 12), promptLength: 8 }, "response"));
    await session.release();
    return results["saliency.0"]!.data as Float32Array;
  };
  const g = new GraphBuilder();
  const quantised = await saliency(g, checkpointWeights(g, checkpoint, { accuracy: "float32" }));
  const h = new GraphBuilder();
  const plain = await saliency(h, valueWeights(h, (name) => (values.has(name) ? h.constant("float32", values.get(name)!, [...tiny.shapes.get(name)!]) : null)));
  assert.ok(relativeError(quantised, plain) < 1e-4);
  assert.ok(Math.max(...plain) > 0);
});
