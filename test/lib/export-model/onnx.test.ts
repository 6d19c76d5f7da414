// The exported ONNX folder: its graph against the float64 pass, and the embedded model in transformers.js.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { openCheckpoint } from "../../../lib/checkpoint/index.js";
import { exportModel } from "../../../lib/export-model/index.js";
import { load } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { forward } from "../../reference/forward.js";
import type { Variant } from "../../reference/variants.js";
import { relativeError } from "../inspect/setup.js";

const folder = mkdtempSync(join(tmpdir(), "sdtp-export-onnx-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const int64 = (values: readonly number[], dims: readonly number[]) => new Tensor("int64", BigInt64Array.from(values, BigInt), dims);

/** Variants with each way to place tokens, windows, norms, tied and untied heads. */
for (const variant of ["llama-llama3", "mistral", "qwen2", "qwen3", "gemma2", "phi3", "gpt2", "bloom"] as const satisfies readonly Variant[]) {
  test(`${variant}: a padded batch, in two runs, gives the reference's logits`, async () => {
    const tiny = tinyCheckpoint(variant);
    const output = join(folder, variant);
    const checkpoint = await openCheckpoint(tiny.folder);
    const { layers, kvHeads, headDim, vocabSize } = checkpoint.config;
    await exportModel(checkpoint, { to: "onnx", output, dtype: "fp32" });
    const session = await InferenceSession.create(join(output, "onnx", "model.onnx"));
    const prompts = [Array.from({ length: 12 }, (_, i) => (i * 37 + 5) % 250), [3, 99, 41, 7, 8, 120, 200]];
    const n = 12;
    const rows = prompts.map((ids) => ({ ids: [...new Array<number>(n - ids.length).fill(0), ...ids], mask: [...new Array<number>(n - ids.length).fill(0), ...ids.map(() => 1)], start: ids.length - n }));
    const split = 9;
    const feeds = (from: number, to: number, keep: number) => ({
      input_ids: int64(rows.flatMap(({ ids }) => ids.slice(from, to)), [2, to - from]),
      attention_mask: int64(rows.flatMap(({ mask }) => mask.slice(0, to)), [2, to]),
      ...(session.inputNames.includes("position_ids") && { position_ids: int64(rows.flatMap(({ start }) => Array.from({ length: to - from }, (_, i) => Math.max(0, start + from + i))), [2, to - from]) }),
      num_logits_to_keep: int64([keep], []),
    });
    const past: Record<string, Tensor> = {};
    for (let l = 0; l < layers; l++) for (const part of ["key", "value"]) past[`past_key_values.${l}.${part}`] = new Tensor("float32", new Float32Array(0), [2, kvHeads, 0, headDim]);
    const first = await session.run({ ...feeds(0, split, 0), ...past });
    for (let l = 0; l < layers; l++) for (const part of ["key", "value"]) past[`past_key_values.${l}.${part}`] = first[`present.${l}.${part}`] as Tensor;
    const second = await session.run({ ...feeds(split, n, 1), ...past });
    assert.deepEqual([first["logits"]!.dims, second["logits"]!.dims, second["present.1.key"]!.dims], [[2, split, vocabSize], [2, 1, vocabSize], [2, kvHeads, n, headDim]]);
    prompts.forEach((ids, b) => {
      const logits = (second["logits"]!.data as Float32Array).subarray(b * vocabSize, (b + 1) * vocabSize);
      assert.ok(relativeError(logits, forward(tiny.config, tiny.weights, ids).logits) < 1e-4, `sequence ${b}`);
    });
    await session.release();
    tiny.remove();
  });
}

/** What is used of transformers.js here. */
interface TransformersJs {
  readonly env: { allowRemoteModels: boolean; localModelPath: string };
  readonly AutoTokenizer: { from_pretrained(name: string): Promise<(text: string) => Promise<Record<string, { data: BigInt64Array }>>> };
  readonly AutoModelForCausalLM: { from_pretrained(name: string): Promise<{ generate(options: object): Promise<{ data: BigInt64Array }>; dispose(): Promise<unknown> }> };
}

test("transformers.js loads the folder, cuts text alike and generates the same tokens", async () => {
  const output = join(folder, "tiny");
  const seen: number[] = [];
  await exportModel(await openCheckpoint("tiny"), { to: "onnx", output, onProgress: (done, total) => seen.push(done / total) });
  assert.ok(seen.length > 10 && seen.every((share, i) => share > (seen[i - 1] ?? 0)) && seen.at(-1) === 1);
  const { env, AutoTokenizer, AutoModelForCausalLM } = (await import("@huggingface/transformers")) as unknown as TransformersJs;
  Object.assign(env, { allowRemoteModels: false, localModelPath: `${folder}/` });
  const [tokenizer, theirs, ours] = [await AutoTokenizer.from_pretrained("tiny"), await AutoModelForCausalLM.from_pretrained("tiny"), await load("tiny", { threads: 1 })];
  const text = "The whale rose slowly out of the water, and the men in the boats";
  const ids = (await ours.tokenizer()).encode(text);
  const inputs = await tokenizer(text);
  assert.deepEqual([...inputs["input_ids"]!.data].map(Number), ids);
  const generated = [...(await theirs.generate({ ...inputs, max_new_tokens: 24, do_sample: false })).data].map(Number);
  const expected = [...ids];
  const run = await ours.prefill(ids);
  while (expected.length < ids.length + 24) {
    expected.push(run.logits.indexOf(Math.max(...run.logits)));
    await run.extend([expected.at(-1)!]);
  }
  assert.deepEqual(generated, expected);
  await theirs.dispose();
  await ours.release();
});

test("stopped, or on a place that is taken, nothing is left and nothing is lost", async () => {
  const checkpoint = await openCheckpoint("tiny");
  const output = join(folder, "stopped");
  const stop = new AbortController();
  await assert.rejects(exportModel(checkpoint, { to: "onnx", output, signal: stop.signal, onProgress: () => stop.abort(new Error("stopped by test")) }), /stopped by test/);
  assert.ok(!existsSync(output));
  assert.deepEqual(readdirSync(folder).filter((name) => name.endsWith(".tmp")), []);
  await assert.rejects(exportModel(checkpoint, { to: "onnx", output: folder }), /output: .* \(is there already: remove it, or give another\)/);
  await assert.rejects(exportModel(checkpoint, { to: "onnx", output, dtype: "q8_0" }), /dtype: q8_0 \(onnx takes fp32, fp16\)/);
});
