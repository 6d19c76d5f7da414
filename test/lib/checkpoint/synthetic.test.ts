import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { parseConfig } from "../../../lib/checkpoint/config.js";
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from "../../../lib/checkpoint/half.js";
import { normalQuantile, normalTable, QuantileStream } from "../../../lib/checkpoint/normal.js";
import { openCheckpoint, openFolder } from "../../../lib/checkpoint/open.js";
import { requiredTensors } from "../../../lib/checkpoint/required.js";
import { readFloats, readSafetensorsHeader } from "../../../lib/checkpoint/safetensors.js";
import { syntheticShapes } from "../../../lib/checkpoint/synthetic-shapes.js";
import { synthesize, type SyntheticOptions } from "../../../lib/checkpoint/synthetic.js";
import { rawConfig, temporaryFolder } from "./fixtures.js";

/** Big enough for statistics: 64 tokens x 256, qwen2 for its biases. */
const raw = rawConfig("qwen2", { hidden_size: 256, intermediate_size: 512, vocab_size: 64, num_attention_heads: 8, initializer_range: 0.05 });

async function floatsOf(folder: string, name: string): Promise<Float32Array> {
  return readFloats((await openFolder(folder)).tensors.get(name)!);
}

function moments(values: Float32Array): { mean: number; std: number; kurtosis: number } {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  const fourth = values.reduce((sum, x) => sum + (x - mean) ** 4, 0) / values.length;
  return { mean, std: Math.sqrt(variance), kurtosis: fourth / variance ** 2 };
}

test("parameters of the published shapes", () => {
  const parameters = Object.fromEntries(
    Object.entries(syntheticShapes).map(([name, shape]) => [
      name,
      requiredTensors(parseConfig(shape, name)).reduce((sum, { shape: sizes }) => sum + sizes.reduce((product, size) => product * size, 1), 0),
    ]),
  );
  // As the models' cards and safetensors indices state them.
  assert.deepEqual(parameters, {
    "qwen2-7b": 7_615_616_512,
    "mistral-7b": 7_241_732_096,
    "llama2-7b": 6_738_415_616,
    "qwen2.5-0.5b": 494_032_768,
    "tinyllama-1.1b": 1_100_048_384,
    "bloom-7b1": 7_069_016_064,
  });
});

test("a custom config.json becomes a model that opens, marked synthetic", async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, "small model.json");
  await writeFile(file, JSON.stringify(raw));
  const cacheFolder = join(folder, "cache");
  const progress: [number, number][] = [];
  const synthetic: SyntheticOptions = { cacheFolder, dtype: "fp32", onProgress: (...args) => progress.push(args) };
  const checkpoint = await openCheckpoint(`synthetic:${file}`, { synthetic });
  assert.equal(checkpoint.synthetic, true);
  assert.equal(checkpoint.name, `synthetic:${file}`);
  assert.match(checkpoint.folder, /cache\/synthetic-small_model-fp32-seed0-[0-9a-f]{12}$/);
  assert.deepEqual(checkpoint.config, parseConfig(raw, ""));
  await assert.rejects(checkpoint.tokenizer(), /tokenizer: synthetic:.* has synthetic weights and no tokenizer \(give the prompt as token ids\)/);
  const elements = [...checkpoint.tensors.values()].reduce((sum, { length }) => sum + length / 4, 0);
  assert.deepEqual(progress.at(-1), [elements, elements]);
  // A second time nothing is made.
  progress.length = 0;
  assert.equal((await openCheckpoint(`synthetic:${file}`, { synthetic })).folder, checkpoint.folder);
  assert.equal(progress.length, 0);
});

test("matrices are normal with the config's deviation, biases a tenth of it, norms 1", async (t) => {
  const folder = await synthesize(raw, "m", { cacheFolder: await temporaryFolder(t), dtype: "fp32" });
  for (const name of ["model.layers.0.mlp.up_proj.weight", "model.layers.1.mlp.down_proj.weight"]) {
    const { mean, std, kurtosis } = moments(await floatsOf(folder, name));
    // 131,072 values: about four standard errors.
    assert.ok(Math.abs(mean) < 0.05 * 0.011, `${mean}`);
    assert.ok(Math.abs(std / 0.05 - 1) < 0.008, `${std}`);
    assert.ok(Math.abs(kurtosis - 3) < 0.06, `${kurtosis}`);
  }
  assert.ok(Math.abs(moments(await floatsOf(folder, "model.layers.0.self_attn.q_proj.bias")).std / 0.005 - 1) < 0.2);
  for (const name of ["model.norm.weight", "model.layers.1.post_attention_layernorm.weight"]) {
    assert.deepEqual(await floatsOf(folder, name), new Float32Array(256).fill(1));
  }
  const a = await floatsOf(folder, "model.layers.0.mlp.up_proj.weight");
  const b = await floatsOf(folder, "model.layers.1.mlp.up_proj.weight");
  const correlation = a.reduce((sum, x, i) => sum + x * b[i]!, 0) / (a.length * 0.05 ** 2);
  assert.ok(Math.abs(correlation) < 0.012, "tensors of one seed are unrelated");
});

test("values depend on the seed, not on shards; 16-bit ones are the float32 ones rounded", async (t) => {
  const cacheFolder = await temporaryFolder(t);
  const name = "model.layers.1.self_attn.v_proj.weight";
  const whole = await synthesize(raw, "m", { cacheFolder, dtype: "fp32", seed: 5 });
  const values = await floatsOf(whole, name);
  const sharded = await synthesize(raw, "m", { cacheFolder, dtype: "fp32", seed: 5, shardBytes: 700_000 });
  assert.deepEqual(await floatsOf(sharded, name), values);
  const files = (await readdir(sharded)).filter((file) => file.endsWith(".safetensors"));
  assert.ok(files.length > 2);
  assert.ok(files.includes(`model-00001-of-${String(files.length).padStart(5, "0")}.safetensors`), files.join());
  for (const file of files) assert.ok("sdtp_synthetic" in (await readSafetensorsHeader(join(sharded, file))).metadata);
  assert.equal((await openFolder(sharded)).synthetic, true);
  const index = JSON.parse(await readFile(join(sharded, "model.safetensors.index.json"), "utf8")) as { metadata: { total_size: number } };
  assert.equal(index.metadata.total_size, [...(await openFolder(whole)).tensors.values()].reduce((sum, { length }) => sum + length, 0));
  assert.equal(await (await openFolder(sharded)).hash(), await (await openFolder(whole)).hash());

  assert.deepEqual(await floatsOf(await synthesize(raw, "m", { cacheFolder, dtype: "fp16", seed: 5 }), name), decodeFloat16(encodeFloat16(values)));
  assert.deepEqual(await floatsOf(await synthesize(raw, "m", { cacheFolder, dtype: "bf16", seed: 5 }), name), decodeBfloat16(encodeBfloat16(values)));
  assert.notDeepEqual(await floatsOf(await synthesize(raw, "m", { cacheFolder, dtype: "fp32", seed: 6 }), name), values);
});

test("tied embeddings have no lm_head", async (t) => {
  const folder = await synthesize({ ...raw, tie_word_embeddings: true }, "m", { cacheFolder: await temporaryFolder(t) });
  const { tensors } = await openFolder(folder);
  assert.equal(tensors.has("lm_head.weight"), false);
  assert.equal(tensors.get("model.norm.weight")!.dtype, "BF16");
});

test("bad names and options say what is right, and leave nothing", async (t) => {
  const cacheFolder = await temporaryFolder(t);
  const open = (name: string, synthetic: object = {}) => openCheckpoint(name, { synthetic: { cacheFolder, ...synthetic } });
  await assert.rejects(open("synthetic:gpt-9"), /synthetic model: gpt-9 \(must be qwen2-7b, mistral-7b, llama2-7b, qwen2\.5-0\.5b, tinyllama-1\.1b, bloom-7b1 or the path of a config\.json\)/);
  await assert.rejects(open("synthetic:"), /synthetic model: \(no name\)/);
  await assert.rejects(open("synthetic:toString"), /synthetic model: toString/);
  await assert.rejects(open("synthetic:/none/config.json"), /\/none\/config\.json: no such file/);
  await assert.rejects(open("synthetic:qwen2-7b", { dtype: "int3" }), /dtype: int3 \(must be fp32, fp16, int8, int4\)/);
  await assert.rejects(open("synthetic:qwen2-7b", { seed: 0.5 }), /seed: 0\.5 \(must be an integer\)/);
  const file = join(cacheFolder, "odd.json");
  await writeFile(file, JSON.stringify({ ...raw, num_key_value_heads: 3 }));
  await assert.rejects(open(`synthetic:${file}`), /odd\.json: num_key_value_heads: 3/);
  await assert.rejects(synthesize({ ...raw, initializer_range: -1 }, "m", { cacheFolder }), /initializer_range: -1/);
  assert.deepEqual(await readdir(cacheFolder), ["odd.json"]);
});

test("weights that the disk cannot hold are refused before any is written", async (t) => {
  const cacheFolder = await temporaryFolder(t);
  const huge = { ...raw, vocab_size: 2 ** 45, bos_token_id: null, eos_token_id: null };
  await assert.rejects(synthesize(huge, "huge", { cacheFolder }), /free space: \d+ bytes .* \(synthetic model huge in bf16 needs \d{17} bytes/);
  assert.deepEqual(await readdir(cacheFolder), []);
});

test("normal quantiles against the distribution function", () => {
  // Computed with Python's statistics.NormalDist().inv_cdf.
  for (const [p, z] of [[0.5, 0], [0.975, 1.9599639845], [0.01, -2.3263478740], [0.9999, 3.7190164855], [1 / 131072, -4.3249190408]] as const) {
    assert.ok(Math.abs(normalQuantile(p) - z) < 1e-8, `${p}: ${normalQuantile(p)}`);
  }
  const table = normalTable(2);
  for (let i = 1; i < table.length; i++) assert.ok(table[i]! > table[i - 1]!);
  for (let i = 0; i < 100; i++) assert.ok(Math.abs(table[i]! + table[65535 - i]!) < 1e-6);
});

test("the stream is xoshiro128**, whatever the sizes it is read in", () => {
  const identity = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const whole = new QuantileStream(3, "name").fill(new Uint16Array(1001), identity);
  const stream = new QuantileStream(3, "name");
  const parts = [2, 400, 598, 1].flatMap((size) => [...stream.fill(new Uint16Array(size), identity)]);
  assert.deepEqual(parts, [...whole]);

  // The published C code in 64-bit integers, from the state that the stream starts with.
  const words = [...(new QuantileStream(3, "name") as unknown as { state: Uint32Array }).state].map(BigInt) as [bigint, bigint, bigint, bigint];
  const mask = 0xffffffffn;
  const rotate = (x: bigint, k: bigint) => ((x << k) | (x >> (32n - k))) & mask;
  for (let i = 0; i < 500; i++) {
    const result = (rotate((words[1] * 5n) & mask, 7n) * 9n) & mask;
    assert.equal(BigInt(whole[2 * i]!) + (BigInt(whole[2 * i + 1]!) << 16n), result);
    const t = (words[1] << 9n) & mask;
    words[2] ^= words[0];
    words[3] ^= words[1];
    words[1] ^= words[2];
    words[0] ^= words[3];
    words[2] ^= t;
    words[3] = rotate(words[3], 11n);
  }
});
