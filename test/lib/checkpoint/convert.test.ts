import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { encodeFloat16, decodeFloat16 } from "../../../lib/checkpoint/half.js";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { readFloats } from "../../../lib/checkpoint/safetensors.js";
import { synthesize } from "../../../lib/checkpoint/synthetic.js";
import { openFolder } from "../../../lib/checkpoint/open.js";
import { formatName, parseWeightFormat } from "../../../lib/checkpoint/weight-dtype.js";
import { allValues } from "../../../lib/checkpoint/values.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { rawConfig, temporaryFolder, tinyTensors, writeModel } from "./fixtures.js";

const projection = "model.layers.1.mlp.down_proj.weight";

test("dtypes and their choices are read and written", () => {
  assert.deepEqual(parseWeightFormat("int4"), { dtype: "int4", symmetric: false, rounding: "gptq", embedding: "int8", head: "int8" });
  assert.deepEqual(parseWeightFormat("fp16"), { dtype: "fp16", symmetric: true, rounding: "nearest", embedding: "fp16", head: "fp16" });
  assert.deepEqual(parseWeightFormat("int8:asymmetric:head=fp16"), { dtype: "int8", symmetric: false, rounding: "nearest", embedding: "int8", head: "fp16" });
  for (const name of ["fp32", "int8", "int4", "int4:nearest", "int4:nearest:symmetric:head=fp16", "int4:symmetric:embedding=int4:head=fp32", "fp16:head=int8"]) assert.equal(formatName(parseWeightFormat(name)), name);
  assert.equal(formatName(parseWeightFormat("int4:asymmetric:head=int8")), "int4");
  assert.throws(() => parseWeightFormat("int3"), /dtype: int3 \(must be fp32, fp16, int8, int4\)/);
  assert.throws(() => parseWeightFormat("int4:head=q8"), /dtype: int4:head=q8/);
  for (const bad of ["int4:sym", "int4:symmetric=1", "fp16:symmetric", "int4:", "int8:nearest", "int4:nearest=1"]) assert.throws(() => parseWeightFormat(bad), /after int8 or int4 may come/);
});

test("projections, embedding and head are held as asked for, norms and biases as they are", async (t) => {
  const cacheFolder = await temporaryFolder(t);
  const tiny = tinyCheckpoint("qwen2", { dtype: "BF16", shards: 2 });
  t.after(() => tiny.remove());
  const before = await readdir(tiny.folder);
  const plain = await openCheckpoint(tiny.folder);
  assert.equal(plain.dtype, "bf16");
  const int4 = await openCheckpoint(tiny.folder, { dtype: "int4:nearest", cacheFolder });
  assert.equal(int4.dtype, "int4:nearest");
  assert.equal(int4.folder, tiny.folder);
  const bits = (name: string) => int4.tensors.get(name)!.quantization?.bits;
  assert.deepEqual([bits(projection), bits("model.embed_tokens.weight"), bits("lm_head.weight"), bits("model.norm.weight")], [4, 8, 8, undefined]);
  assert.deepEqual([...int4.tensors.keys()].sort(), [...plain.tensors.keys()].sort());
  for (const [name, { shape, quantization }] of int4.tensors) {
    const stored = int4.tensors.get(name)!;
    assert.deepEqual(shape, tiny.shapes.get(name));
    const expected = tiny.weights.get(name)!;
    if (!quantization) assert.deepEqual([...(await readFloats(stored))], [...expected], name);
    else {
      const values = await allValues(stored);
      const error = Math.hypot(...values.map((x, i) => x - expected[i]!)) / Math.hypot(...expected);
      assert.ok(error > 0 && error < (quantization.bits === 4 ? 0.13 : 0.01), `${name}: ${error}`);
    }
  }
  assert.notEqual(await int4.hash(), await plain.hash());
  const other = await openCheckpoint(tiny.folder, { dtype: "int4:nearest:symmetric:head=fp32:embedding=fp16", cacheFolder });
  assert.notEqual(await other.hash(), await int4.hash());
  assert.equal(other.tensors.get(projection)!.quantization!.zeroPoints, null);
  assert.deepEqual([other.tensors.get("lm_head.weight")!.dtype, other.tensors.get("model.embed_tokens.weight")!.dtype], ["F32", "F16"]);
  assert.deepEqual(await readdir(tiny.folder), before, "nothing is written beside the checkpoint");
});

test("one tensor for embedding and head becomes two where they are held in two ways", async (t) => {
  const cacheFolder = await temporaryFolder(t);
  const tiny = tinyCheckpoint("llama-tied");
  t.after(() => tiny.remove());
  const one = await openCheckpoint(tiny.folder, { dtype: "int8", cacheFolder });
  assert.equal(one.tensors.has("lm_head.weight"), false);
  const two = await openCheckpoint(tiny.folder, { dtype: "int8:head=fp16", cacheFolder });
  const expected = decodeFloat16(encodeFloat16(Float32Array.from(tiny.weights.get("model.embed_tokens.weight")!)));
  assert.deepEqual(await readFloats(two.tensors.get("lm_head.weight")!), expected);
});

test("fp16 is rounded once, fp32 of 16-bit weights needs no conversion, the stored dtype neither", async (t) => {
  const cacheFolder = await temporaryFolder(t);
  const tiny = tinyCheckpoint("llama", { dtype: "BF16" });
  t.after(() => tiny.remove());
  const open = (dtype: string) => openCheckpoint(tiny.folder, { dtype, cacheFolder });
  assert.equal((await open("fp32")).dtype, "fp32");
  assert.equal((await open("bf16")).dtype, "bf16");
  assert.deepEqual(await readdir(cacheFolder), []);
  const half = await open("fp16");
  assert.deepEqual(await readFloats(half.tensors.get(projection)!), decodeFloat16(encodeFloat16(Float32Array.from(tiny.weights.get(projection)!))));
  await assert.rejects(open("fp8"), /dtype: fp8 \(must be/);
});

test("a value that fp16 cannot hold is named, and nothing is left", async (t) => {
  const folder = await temporaryFolder(t);
  const raw = rawConfig("llama");
  const tensors = tinyTensors(raw);
  (tensors[3]!.data as Float32Array)[2] = 70000;
  await writeModel(folder, raw, tensors);
  const cacheFolder = join(folder, "cache");
  await assert.rejects(openCheckpoint(folder, { dtype: "fp16", cacheFolder }), new RegExp(`tensor ${tensors[3]!.name}: 70000 \\(fp16 goes to 65504`));
  assert.deepEqual(await readdir(cacheFolder), []);
});

test("two processes at once make one entry, and both get it", async (t) => {
  const cacheFolder = await temporaryFolder(t);
  const tiny = tinyCheckpoint("mistral");
  t.after(() => tiny.remove());
  const script = join(dirname(fileURLToPath(import.meta.url)), "converter.js");
  const run = async () => JSON.parse((await promisify(execFile)(process.execPath, [script, tiny.folder, "int4:nearest", cacheFolder])).stdout) as { elements: number; file: string };
  const [a, b] = await Promise.all([run(), run()]);
  assert.equal(a.file, b.file);
  const total = [...tiny.weights.values()].reduce((sum, { length }) => sum + length, 0);
  assert.deepEqual([a.elements, b.elements].sort((x, y) => x - y), [0, total], "one converts, one waits");
  assert.equal((await readdir(cacheFolder)).length, 1);
});

test("stopped in the middle nothing is left, and the next conversion is whole", async (t) => {
  const cacheFolder = await temporaryFolder(t);
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const controller = new AbortController();
  await assert.rejects(openCheckpoint(tiny.folder, { dtype: "int4:nearest", cacheFolder, signal: controller.signal, onProgress: () => controller.abort() }), { name: "AbortError" });
  assert.deepEqual(await readdir(cacheFolder), []);
  const whole = await openCheckpoint(tiny.folder, { dtype: "int4:nearest", cacheFolder });
  assert.equal(whole.tensors.get(projection)!.quantization!.bits, 4);
});

test("a changed checkpoint is converted anew", async (t) => {
  const folder = await temporaryFolder(t);
  const cacheFolder = join(folder, "cache");
  const raw = rawConfig("llama");
  await writeModel(folder, raw);
  const first = await openCheckpoint(folder, { dtype: "int8", cacheFolder });
  const tensors = tinyTensors(raw);
  (tensors[2]!.data as Float32Array).fill(1);
  await writeModel(folder, raw, tensors);
  const second = await openCheckpoint(folder, { dtype: "int8", cacheFolder });
  assert.notEqual((await allValues(first.tensors.get(tensors[2]!.name)!))[1], 1);
  assert.ok(Math.abs((await allValues(second.tensors.get(tensors[2]!.name)!))[1]! - 1) < 1e-6);
});

test("synthetic weights are made quantised: the float32 ones, never written", async (t) => {
  const cacheFolder = await temporaryFolder(t);
  const raw = rawConfig("qwen2", { hidden_size: 64, intermediate_size: 96, tie_word_embeddings: true });
  const make = async (dtype: string) => openFolder(await synthesize(raw, "m", { cacheFolder, dtype, seed: 3 }));
  const made = await make("int4:head=int4");
  assert.deepEqual([made.dtype, made.synthetic], ["int4:head=int4", true]);
  assert.equal((await readdir(cacheFolder)).length, 1);
  const tiny = await make("fp32");
  const converted = await openCheckpoint(tiny.folder, { dtype: "int4:nearest:head=int4", cacheFolder });
  for (const name of [projection, "model.embed_tokens.weight", "lm_head.weight"]) {
    assert.deepEqual(await allValues(made.tensors.get(name)!), await allValues(converted.tensors.get(name)!), name);
  }
  assert.deepEqual(await readFloats(made.tensors.get("model.layers.0.self_attn.q_proj.bias")!), await readFloats(tiny.tensors.get("model.layers.0.self_attn.q_proj.bias")!));
  const config = JSON.parse(await readFile(join(made.folder, "config.json"), "utf8")) as { model_type: string };
  assert.equal(config.model_type, "qwen2");
});
