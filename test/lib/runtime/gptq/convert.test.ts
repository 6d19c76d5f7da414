import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { openCheckpoint } from "../../../../lib/checkpoint/open.js";
import { allValues } from "../../../../lib/checkpoint/values.js";
import { Random } from "../../../../lib/random.js";
import { load } from "../../../../lib/runtime/model.js";
import { openModel } from "../../../../lib/runtime/open.js";
import { tinyCheckpoint } from "../../../reference/checkpoints.js";
import type { Variant } from "../../../reference/variants.js";
import { temporaryFolder, tinyTensors, tokenizerJson, writeModel, type RawConfig } from "../../checkpoint/fixtures.js";
import { relativeError } from "../../relative-error.js";

const down = "model.layers.1.mlp.down_proj.weight";

function tiny(t: TestContext, variant: Variant): string {
  const { folder, remove } = tinyCheckpoint(variant);
  t.after(() => remove());
  return folder;
}

/** Every file of the one entry of a cache folder. */
async function filesOf(cacheFolder: string): Promise<Map<string, Buffer>> {
  const [entry, ...others] = await readdir(cacheFolder);
  assert.deepEqual(others, []);
  const names = (await readdir(join(cacheFolder, entry!))).sort();
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(cacheFolder, entry!, name))] as const)));
}

test("stopped after a block it goes on there, and what comes of it is the same to the last byte", async (t) => {
  const folder = tiny(t, "llama");
  const [whole, parts] = [await temporaryFolder(t), await temporaryFolder(t)];
  const done: number[] = [];
  const checkpoint = await openModel(folder, { dtype: "int4", cacheFolder: whole, threads: 1, onProgress: (elements, total) => done.push(elements / total) });
  assert.deepEqual([checkpoint.dtype, checkpoint.tensors.get(down)!.quantization!.bits], ["int4", 4]);
  assert.ok(done.every((share, i) => share > (done[i - 1] ?? 0)) && done.at(-1) === 1, String(done));

  const controller = new AbortController();
  const stopped = openModel(folder, { dtype: "int4", cacheFolder: parts, threads: 1, signal: controller.signal, onProgress: () => existsSync(join(parts, readdirSync(parts).find((name) => name.endsWith(".part"))!, "layer-00000.safetensors")) && controller.abort() });
  await assert.rejects(stopped, { name: "AbortError" });
  const [left] = await readdir(parts);
  assert.match(left!, /\.part$/);
  assert.deepEqual(await readdir(join(parts, left!)), ["layer-00000.safetensors"]);
  await openModel(folder, { dtype: "int4", cacheFolder: parts, threads: 1 });
  assert.deepEqual(await filesOf(parts), await filesOf(whole));

  // What is whole is taken as it is.
  await openModel(folder, { dtype: "int4", cacheFolder: whole, onProgress: () => assert.fail("converted again") });
});

test("nearest rounding needs no runs and is an entry of its own; the checkpoint's own way to open says what rounding by inputs needs", async (t) => {
  const [folder, cacheFolder] = [tiny(t, "llama"), await temporaryFolder(t)];
  const [nearest, rounded] = [await openCheckpoint(folder, { dtype: "int4:nearest", cacheFolder }), await openModel(folder, { dtype: "int4", cacheFolder, threads: 1 })];
  assert.equal(nearest.dtype, "int4:nearest");
  assert.notDeepEqual(await allValues(nearest.tensors.get(down)!), await allValues(rounded.tensors.get(down)!));
  assert.notEqual(await nearest.hash(), await rounded.hash());
  assert.equal((await readdir(cacheFolder)).length, 2);
  await assert.rejects(openCheckpoint(folder, { dtype: "int4:head=fp16", cacheFolder }), /dtype: int4:head=fp16 \(is rounded by runs of the model: open it with load, or take int4:nearest:head=fp16\)/);
});

test("without a tokenizer nothing is known of the inputs: scales are searched all the same", async (t) => {
  const [folder, cacheFolder] = [tiny(t, "llama"), await temporaryFolder(t)];
  await rm(join(folder, "tokenizer.json"), { force: true });
  const [plain, nearest, searched] = [await openCheckpoint(folder), await openCheckpoint(folder, { dtype: "int4:nearest", cacheFolder }), await openModel(folder, { dtype: "int4", cacheFolder, threads: 1 })];
  const expected = await allValues(plain.tensors.get(down)!);
  const error = async (held: typeof plain) => Math.hypot(...(await allValues(held.tensors.get(down)!)).map((value, i) => value - expected[i]!));
  assert.ok((await error(searched)) < (await error(nearest)));
});

const common = {
  hidden_act: "silu", hidden_size: 64, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2, vocab_size: 300, max_position_embeddings: 256,
  rms_norm_eps: 1e-5, rope_theta: 10000, tie_word_embeddings: false, bos_token_id: 1, eos_token_id: 2,
};
const families: Record<string, RawConfig> = {
  llama: { ...common, intermediate_size: 96 },
  mixtral: { ...common, intermediate_size: 96, num_local_experts: 4, num_experts_per_tok: 2 },
  qwen2_moe: { ...common, intermediate_size: 96, num_experts: 4, num_experts_per_tok: 2, moe_intermediate_size: 32, shared_expert_intermediate_size: 64, norm_topk_prob: false, decoder_sparse_step: 1, mlp_only_layers: [] },
};
for (const [family, raw] of Object.entries(families)) {
  test(`${family}: every projection is in 4 bits, and logits on a text that it was not rounded by are nearer than with nearest rounding`, async (t) => {
    const [folder, cacheFolder, random] = [await temporaryFolder(t), await temporaryFolder(t), new Random(1)];
    const tensors = tinyTensors({ ...raw, model_type: family }).map((tensor) => {
      const scale = tensor.shape.length === 1 ? 0 : 1 / Math.sqrt(tensor.shape.at(-1)!);
      return { ...tensor, data: (tensor.data as Float32Array).map(() => (scale === 0 ? 1 : scale * random.normal())) };
    });
    await writeModel(folder, { ...raw, model_type: family }, tensors);
    await writeFile(join(folder, "tokenizer.json"), JSON.stringify(tokenizerJson()));
    const logits: Float32Array[] = [];
    for (const dtype of ["fp32", "int4:nearest", "int4"]) {
      const model = await load(folder, { dtype, cacheFolder, threads: 1, accuracy: "float32" });
      const ids = (await model.tokenizer()).encode("It was the best of times, and he told them all of it at the hall: the bells, the shells, the well.");
      logits.push(await (await model.prefill(ids.slice(0, 40))).extend(ids.slice(40)));
      const projections = [...model.checkpoint.tensors].filter(([name]) => name.endsWith("_proj.weight"));
      assert.ok(projections.every(([, { quantization }]) => (dtype === "fp32" ? !quantization : quantization!.bits === 4)));
      await model.release();
    }
    const [whole, nearest, rounded] = logits as [Float32Array, Float32Array, Float32Array];
    assert.ok(relativeError(rounded, whole) < 0.9 * relativeError(nearest, whole), `${relativeError(rounded, whole)}, nearest ${relativeError(nearest, whole)}`);
  });
}
