import assert from "node:assert/strict";
import { cp, mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import { readTensor, writeSafetensors } from "../../../lib/checkpoint/safetensors.js";
import type { Family } from "../../../lib/checkpoint/types.js";
import { rawConfig, temporaryFolder, tinyTensors, tokenizerJson, writeModel } from "./fixtures.js";

for (const family of ["llama", "mistral", "qwen2", "qwen3"] satisfies Family[]) {
  for (const dtype of ["F32", "F16", "BF16"] as const) {
    test(`opens a ${family} folder in ${dtype}`, async (t) => {
      const folder = await temporaryFolder(t);
      const raw = rawConfig(family);
      await writeModel(folder, raw, tinyTensors(raw, dtype));
      const checkpoint = await openCheckpoint(folder);
      assert.equal(checkpoint.name, folder);
      assert.equal(checkpoint.folder, folder);
      assert.equal(checkpoint.config.family, family);
      assert.equal(checkpoint.synthetic, false);
      const norm = checkpoint.tensors.get("model.norm.weight")!;
      assert.equal(norm.dtype, dtype);
      const [value] = (await readTensor(norm)) as Float32Array;
      const expected = Math.sin(tinyTensors(raw).findIndex(({ name }) => name === "model.norm.weight")) / 4;
      assert.ok(Math.abs(value! - expected) < 2 ** -9, `${value} against ${expected}`);
    });
  }
}

/** Cuts a model's tensors over two shards and an index. */
async function writeShards(folder: string): Promise<{ weight_map: Record<string, string> }> {
  const raw = rawConfig("llama");
  const tensors = tinyTensors(raw);
  await writeFile(join(folder, "config.json"), JSON.stringify(raw));
  const index = { metadata: { total_size: 0 }, weight_map: {} as Record<string, string> };
  for (const [file, part] of [["model-1.safetensors", tensors.slice(0, 5)], ["model-2.safetensors", tensors.slice(5)]] as const) {
    await writeSafetensors(join(folder, file), part);
    for (const { name } of part) index.weight_map[name] = file;
  }
  await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify(index));
  return index;
}

test("opens shards through their index, with the same tensors and hash as one file", async (t) => {
  const [sharded, single] = [await temporaryFolder(t), await temporaryFolder(t)];
  await writeShards(sharded);
  await writeModel(single, rawConfig("llama"));
  const [a, b] = [await openCheckpoint(sharded), await openCheckpoint(single)];
  assert.deepEqual([...a.tensors.keys()].sort(), [...b.tensors.keys()].sort());
  assert.equal(new Set([...a.tensors.values()].map(({ file }) => file)).size, 2);
  assert.equal(await a.hash(), await b.hash());
});

test("names a missing shard, and a tensor that its shard lacks", async (t) => {
  const folder = await temporaryFolder(t);
  const index = await writeShards(folder);
  const write = (weight_map: unknown) => writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map }));
  await write({ ...index.weight_map, "lm_head.weight": "model-1.safetensors" });
  await assert.rejects(openCheckpoint(folder), /tensor lm_head\.weight: not in .*model-1\.safetensors/);
  await write({ ...index.weight_map, "lm_head.weight": "../model-1.safetensors" });
  await assert.rejects(openCheckpoint(folder), /lm_head\.weight: "\.\.\/model-1\.safetensors" \(must be a \.safetensors file in the same folder\)/);
  for (const map of [undefined, [], {}]) {
    await write(map);
    await assert.rejects(openCheckpoint(folder), /index\.json: weight_map: /);
  }
  await write(index.weight_map);
  await rm(join(folder, "model-2.safetensors"));
  await assert.rejects(openCheckpoint(folder), /shard: model-2\.safetensors is missing/);
});

test("a missing tensor: name, place and expected shape", async (t) => {
  const folder = await temporaryFolder(t);
  const raw = rawConfig("qwen2");
  const missing = "model.layers.1.self_attn.k_proj.bias";
  await writeModel(folder, raw, tinyTensors(raw).filter(({ name }) => name !== missing));
  await assert.rejects(openCheckpoint(folder), /tensor model\.layers\.1\.self_attn\.k_proj\.bias: missing in .* shape \[8\]/);
});

test("a wrong shape: name, expected and found", async (t) => {
  const folder = await temporaryFolder(t);
  const raw = rawConfig("llama");
  await writeModel(folder, raw, tinyTensors({ ...raw, intermediate_size: 32 }));
  await assert.rejects(openCheckpoint(folder), /tensor model\.layers\.0\.mlp\.gate_proj\.weight: shape \[32, 16\] in .* \(config\.json makes it \[24, 16\]\)/);
});

test("an integer dtype where weights are needed is refused", async (t) => {
  const folder = await temporaryFolder(t);
  const raw = rawConfig("llama");
  const tensors = tinyTensors(raw).map((tensor) => (tensor.name === "model.norm.weight" ? { ...tensor, dtype: "I8" as const, data: new Int8Array(16) } : tensor));
  await writeModel(folder, raw, tensors);
  await assert.rejects(openCheckpoint(folder), /tensor model\.norm\.weight: dtype I8 in .* \(supported: F32, F16, BF16\)/);
});

test("tied embeddings need no lm_head; one that is the same goes, one that differs counts; untied need it", async (t) => {
  const folder = await temporaryFolder(t);
  const untied = rawConfig("llama");
  const tied = rawConfig("llama", { tie_word_embeddings: true });
  await writeModel(folder, tied, tinyTensors(tied));
  assert.equal((await openCheckpoint(folder)).config.tiedEmbeddings, true);
  const embedding = tinyTensors(tied).find(({ name }) => name === "model.embed_tokens.weight")!;
  await writeModel(folder, tied, [...tinyTensors(tied), { ...embedding, name: "lm_head.weight" }]);
  const same = await openCheckpoint(folder);
  assert.deepEqual([same.config.tiedEmbeddings, same.tensors.has("lm_head.weight")], [true, false]);
  await writeModel(folder, tied, tinyTensors(tied).map((tensor) => (tensor === embedding || tensor.name === embedding.name ? { ...tensor, name: "lm_head.weight" } : tensor)));
  const turned = await openCheckpoint(folder);
  assert.deepEqual([turned.config.tiedEmbeddings, turned.tensors.has("model.embed_tokens.weight")], [true, true]);
  await writeModel(folder, tied, tinyTensors(untied));
  const both = await openCheckpoint(folder);
  assert.deepEqual([both.config.tiedEmbeddings, both.tensors.has("lm_head.weight")], [false, true]);
  await writeModel(folder, untied, tinyTensors(tied));
  await assert.rejects(openCheckpoint(folder), /tensor lm_head\.weight: missing in .* shape \[300, 16\]/);
});

test("other formats, a missing folder, a file, an empty folder: what is supported", async (t) => {
  const folder = await temporaryFolder(t);
  await assert.rejects(openCheckpoint(join(folder, "none")), /model: .*none \(no such folder; give a model folder, a model of the hub as "org\/name", "tiny" or "synthetic:NAME"\)/);
  await assert.rejects(openCheckpoint(folder), /is empty \(supported: a Hugging Face folder with config\.json and model\.safetensors/);
  await writeFile(join(folder, "model.Q4_K_M.gguf"), "GGUF");
  await assert.rejects(openCheckpoint(folder), /model\.Q4_K_M\.gguf: 4 bytes \(truncated inside its header\)/);
  await writeFile(join(folder, "notes.txt"), "");
  await assert.rejects(openCheckpoint(join(folder, "notes.txt")), /is a file \(give its folder/);
  await writeFile(join(folder, "config.json"), JSON.stringify(rawConfig("llama")));
  await assert.rejects(openCheckpoint(folder), /weights: .* has only model\.Q4_K_M\.gguf \(supported: model\.safetensors/);
  await rename(join(folder, "model.Q4_K_M.gguf"), join(folder, "pytorch_model.bin"));
  await assert.rejects(openCheckpoint(folder), /pytorch_model\.bin: not a zip archive/);
  await rm(join(folder, "pytorch_model.bin"));
  await assert.rejects(openCheckpoint(folder), /has no weights/);
  await writeFile(join(folder, "config.json"), "not json");
  await assert.rejects(openCheckpoint(folder), /config\.json: not JSON/);
});

/** A hub-cache folder: blobs, and snapshots of links into them. */
async function writeHubFolder(root: string, revisions: string[]): Promise<string> {
  const hub = join(root, "models--org--name");
  await mkdir(join(hub, "blobs"), { recursive: true });
  await writeModel(join(hub, "blobs"), rawConfig("llama"));
  for (const revision of revisions) {
    await mkdir(join(hub, "snapshots", revision), { recursive: true });
    for (const file of ["config.json", "model.safetensors"]) await symlink(join("..", "..", "blobs", file), join(hub, "snapshots", revision, file));
  }
  return hub;
}

test("a hub-cache folder: refs/main, or the only snapshot", async (t) => {
  const hub = await writeHubFolder(await temporaryFolder(t), ["abc"]);
  assert.equal((await openCheckpoint(hub)).folder, join(hub, "snapshots", "abc"));
  const linked = (await openCheckpoint(hub)).tensors.get("model.norm.weight")!;
  assert.equal(linked.file, join(hub, "blobs", "model.safetensors"));

  await cp(join(hub, "snapshots", "abc"), join(hub, "snapshots", "def"), { recursive: true, verbatimSymlinks: true });
  await assert.rejects(openCheckpoint(hub), /has 2 snapshots and no refs\/main \(give one of them: .*abc, .*def\)/);
  await mkdir(join(hub, "refs"));
  await writeFile(join(hub, "refs", "main"), "def\n");
  assert.equal((await openCheckpoint(hub)).folder, join(hub, "snapshots", "def"));
  await writeFile(join(hub, "refs", "main"), "fff");
  await assert.rejects(openCheckpoint(hub), /refs\/main names snapshot fff, which is not there/);
});

test("a link to a blob that was not downloaded is named", async (t) => {
  const hub = await writeHubFolder(await temporaryFolder(t), ["abc"]);
  await rm(join(hub, "blobs", "model.safetensors"));
  await assert.rejects(openCheckpoint(hub), /snapshots\/abc\/model\.safetensors \(no such file\)/);
});

test("the package folder is found from the compiled files", async () => {
  const { name } = JSON.parse(await readFile(join(packageRoot(), "package.json"), "utf8")) as { name: string };
  assert.equal(name, "sdtp-notebook");
});

test("the embedded model opens from any working folder, or says that it is not there", async (t) => {
  const before = process.cwd();
  process.chdir(await temporaryFolder(t));
  t.after(() => process.chdir(before));
  const expected = join(packageRoot(), "lib", "models", "tiny");
  try {
    assert.equal((await openCheckpoint("tiny")).folder, expected);
  } catch (error) {
    assert.equal((error as Error).message, `model: tiny (the embedded model is not in this package: ${expected} is missing)`);
  }
});

test("the hash follows configuration, names, dtypes and bytes, not the order of keys", async (t) => {
  const folder = await temporaryFolder(t);
  const raw = rawConfig("llama");
  const hashOf = async (config = raw, tensors = tinyTensors(raw)) => {
    await writeModel(folder, config, tensors);
    return (await openCheckpoint(folder)).hash();
  };
  const hash = await hashOf();
  assert.match(hash, /^[0-9a-f]{64}$/);
  assert.equal(await hashOf(Object.fromEntries(Object.entries(raw).reverse())), hash);
  assert.equal(await hashOf(raw, tinyTensors(raw).reverse()), hash);
  assert.notEqual(await hashOf({ ...raw, rope_theta: 20000 }), hash);
  assert.notEqual(await hashOf(raw, tinyTensors(raw, "F16")), hash);
  const changed = tinyTensors(raw);
  (changed.at(-1)!.data as Float32Array)[5]! += 2 ** -20;
  assert.notEqual(await hashOf(raw, changed), hash);
  const buffer = { name: "model.layers.0.self_attn.rotary_emb.inv_freq", dtype: "F32", shape: [1], data: new Float32Array(1) } as const;
  assert.equal(await hashOf(raw, [...tinyTensors(raw), buffer]), hash, "what says nothing does not count");
});

test("the tokenizer is loaded once, and looked for again after it was missing", async (t) => {
  const folder = await temporaryFolder(t);
  await writeModel(folder, rawConfig("llama"));
  const checkpoint = await openCheckpoint(folder);
  await assert.rejects(checkpoint.tokenizer(), /no tokenizer\.json/);
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify(tokenizerJson()));
  const tokenizer = await checkpoint.tokenizer();
  assert.equal(await checkpoint.tokenizer(), tokenizer);
  assert.equal(tokenizer.vocabSize, 260);
});
