// Exported GGUF files and Hugging Face folders, read back.
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openCheckpoint, packageRoot, readFloats, readSafetensorsHeader, requiredTensors } from "../../../lib/checkpoint/index.js";
import { readGgufHeader } from "../../../lib/checkpoint/gguf/header.js";
import { exportModel } from "../../../lib/export-model/index.js";
import { load } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import type { HfConfig } from "../../reference/config.js";
import { forward } from "../../reference/forward.js";
import type { Variant } from "../../reference/variants.js";
import { prompt, relativeError } from "../inspect/setup.js";

const folder = mkdtempSync(join(tmpdir(), "sdtp-export-gguf-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const copy = (to: string) => copyFileSync(join(packageRoot(), "lib", "models", "tiny", "tokenizer.json"), join(to, "tokenizer.json"));

/** What q8_0 may cost here: its steps are a 254th of a block's range. */
const cases: readonly (readonly [Variant, string, number])[] = [
  ["llama-llama3", "fp32", 1e-4], ["mistral-unlimited", "fp16", 5e-3], ["qwen2", "bf16", 0.05], ["qwen3-tied", "fp32", 1e-4], ["llama-tied", "q8_0", 0.1], ["qwen2-tied", "q8_0", 0.1],
];
for (const [variant, dtype, tolerance] of cases) {
  test(`${variant} as ${dtype} GGUF: the reference's logits`, async () => {
    const tiny = tinyCheckpoint(variant);
    copy(tiny.folder);
    const output = join(folder, `${variant}-${dtype}.gguf`);
    await exportModel(await openCheckpoint(tiny.folder), { to: "gguf", output, dtype });
    const { metadata, tensors } = await readGgufHeader(output);
    assert.equal(metadata["general.architecture"], variant.startsWith("qwen") ? variant.slice(0, 5) : "llama");
    for (const { name, type, shape } of tensors.values()) assert.equal(type, shape.length < 2 ? "F32" : { fp32: "F32", fp16: "F16", bf16: "BF16", q8_0: shape.at(-1)! % 32 === 0 ? "Q8_0" : "F16" }[dtype], name);
    const model = await load(output, { threads: 1, accuracy: "float32", cacheFolder: join(folder, "cache") });
    const { logits } = await model.prefill(prompt);
    const error = relativeError(logits, forward(tiny.config, tiny.weights, prompt).logits);
    assert.ok(error < tolerance, String(error));
    await model.release();
    tiny.remove();
  });
}

test("the embedded model in GGUF: its tokenizer inside cuts text alike, and its greedy tokens are the same", async () => {
  const output = join(folder, "tiny.gguf");
  const { notes } = await exportModel(await openCheckpoint("tiny"), { to: "gguf", output });
  assert.match(notes.join(), /contractions in another way/);
  const [theirs, ours] = [await load(output, { threads: 1 }), await load("tiny", { threads: 1 })];
  const [a, b] = [await theirs.tokenizer(), await ours.tokenizer()];
  const text = "Call me Ishmael. It's 1851 — naïve, isn't it?\n\n  Two  spaces";
  const ids = b.encode(text);
  assert.deepEqual(a.encode(text), ids);
  assert.equal(a.decode(ids), text);
  const [x, y] = [await theirs.prefill(ids), await ours.prefill(ids)];
  assert.ok(relativeError(x.logits, y.logits) < 1e-5);
  await theirs.release();
  await ours.release();
});

test("sentencepiece BPE goes into GGUF with scores that merge alike", async () => {
  const tiny = tinyCheckpoint("llama");
  const words = ["<unk>", "<s>", "</s>", ...Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`)].slice(0, 200);
  const letters = ["▁", "a", "b", "n", "an", "▁b", "ana", "▁ban", "na"];
  const vocab = Object.fromEntries([...words, ...letters].map((token, i) => [token, i]));
  const merges = [["a", "n"], ["▁", "b"], ["an", "a"], ["▁b", "an"], ["n", "a"]];
  writeFileSync(join(tiny.folder, "tokenizer.json"), JSON.stringify({
    version: "1.0",
    added_tokens: words.slice(0, 3).map((content, id) => ({ id, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false })),
    normalizer: { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }, { type: "Replace", pattern: { String: " " }, content: "▁" }] },
    pre_tokenizer: null, post_processor: null,
    decoder: { type: "Sequence", decoders: [{ type: "Replace", pattern: { String: "▁" }, content: " " }, { type: "ByteFallback" }, { type: "Fuse" }, { type: "Strip", content: " ", start: 1, stop: 0 }] },
    model: { type: "BPE", dropout: null, unk_token: "<unk>", fuse_unk: true, byte_fallback: true, vocab, merges },
  }));
  const output = join(folder, "pieces.gguf");
  await exportModel(await openCheckpoint(tiny.folder), { to: "gguf", output });
  const [before, after] = [await (await openCheckpoint(tiny.folder)).tokenizer(), await (await openCheckpoint(output)).tokenizer()];
  for (const text of ["banana ban na", "an anana", "b!b"]) assert.deepEqual(after.encode(text, { addSpecialTokens: false }), before.encode(text, { addSpecialTokens: false }), text);
  tiny.remove();
});

test("what has no place in GGUF is refused by name", async () => {
  const refused = async (variant: Variant, message: RegExp, prepare: (folder: string) => void = copy, config: Partial<HfConfig> = {}) => {
    const tiny = tinyCheckpoint(variant, { config });
    prepare(tiny.folder);
    await assert.rejects(exportModel(await openCheckpoint(tiny.folder), { to: "gguf", output: join(folder, "refused.gguf") }), message);
    tiny.remove();
  };
  await refused("bloom", /export: bloom to GGUF \(supported: llama, mistral, qwen2, qwen3\)/);
  await refused("qwen2", /export: qwen2 with 4 heads of 16 to GGUF \(llama\.cpp takes heads that make up the hidden size, 32\)/, copy, { head_dim: 16 });
  await refused("llama", /has no tokenizer\.json \(a GGUF file holds its tokenizer\)/, (at) => rmSync(join(at, "tokenizer.json"), { force: true }));
  await refused("llama", /tokenizer of kind WordLevel \(supported: BPE/, (at) => writeFileSync(join(at, "tokenizer.json"), JSON.stringify({ model: { type: "WordLevel", vocab: { a: 0 }, unk_token: "a" } })));
});

for (const [variant, dtype] of [["llama-llama3", "fp32"], ["qwen2", "bf16"], ["gemma2", "fp32"], ["phi3", "fp32"], ["gpt2", "fp32"], ["bloom-six-heads", "fp32"]] as const) {
  test(`${variant} as a Hugging Face folder in ${dtype} holds the same numbers`, async () => {
    const tiny = tinyCheckpoint(variant);
    const source = await openCheckpoint(tiny.folder);
    const output = join(folder, `hf-${variant}`);
    await exportModel(source, { to: "safetensors", output, dtype });
    const written = await openCheckpoint(output);
    assert.deepEqual({ ...written.config }, { ...source.config });
    for (const { name } of requiredTensors(source.config)) {
      const [was, is] = [await readFloats(source.tensors.get(name)!), await readFloats(written.tensors.get(name)!)];
      assert.deepEqual(written.tensors.get(name)!.shape, source.tensors.get(name)!.shape, name);
      assert.ok(relativeError(is, was) <= (dtype === "fp32" ? 0 : 2 ** -8), name);
    }
    const shapes = async (at: string) => [...(await readSafetensorsHeader(join(at, "model.safetensors"))).tensors.values()].map(({ name, shape }) => `${name.replace(/^transformer\./, "")} ${shape.join()}`).sort();
    assert.deepEqual(await shapes(output), await shapes(tiny.folder), "names and shapes of the files themselves");
    tiny.remove();
  });
}

test("from a GGUF file: config.json is made from its metadata", async () => {
  const tiny = tinyCheckpoint("qwen3-tied");
  copy(tiny.folder);
  const [file, output] = [join(folder, "source.gguf"), join(folder, "hf-gguf")];
  await exportModel(await openCheckpoint(tiny.folder), { to: "gguf", output: file, dtype: "fp32" });
  const { notes } = await exportModel(await openCheckpoint(file), { to: "safetensors", output });
  // Its vocabulary is cut short.
  assert.match(notes.join(), /tokenizer\.ggml\.merges.*: prompts can be given as token ids only/);
  const [source, written] = [await openCheckpoint(tiny.folder), await openCheckpoint(output)];
  for (const { name } of requiredTensors(source.config)) assert.deepEqual(await readFloats(written.tensors.get(name)!), await readFloats(source.tensors.get(name)!), name);
  tiny.remove();
});

test("a GGUF file becomes a folder with its tokenizer and chat template, from which the same comes out", async () => {
  const file = join(folder, "tiny-again.gguf");
  await exportModel(await openCheckpoint("tiny"), { to: "gguf", output: file });
  const bytes = readFileSync(file);
  const output = join(folder, "tiny-again");
  const { notes } = await exportModel(await openCheckpoint(file), { to: "safetensors", output });
  assert.deepEqual(notes, []);
  const [a, b] = [await openCheckpoint(file), await openCheckpoint(output)];
  assert.deepEqual({ ...b.config }, { ...a.config });
  const text = "Call me Ishmael.  It's 1851 — naïve!\n";
  const ids = (await a.tokenizer()).encode(text);
  assert.deepEqual((await b.tokenizer()).encode(text), ids);
  const [x, y] = [await load(file, { threads: 1 }), await load(output, { threads: 1 })];
  assert.deepEqual((await y.prefill(ids)).logits, (await x.prefill(ids)).logits);
  await x.release();
  await y.release();
  assert.deepEqual(readFileSync(file), bytes, "the file stays as it is");
});

test("linear scaling and a window come back from a GGUF file as they went into it", async () => {
  for (const [variant, more] of [["llama-linear-biases", { mlp_bias: false, attention_bias: false }], ["mistral", {}]] as const) {
    const tiny = tinyCheckpoint(variant, { config: more });
    copy(tiny.folder);
    const file = join(folder, `${variant}-there.gguf`);
    const source = await openCheckpoint(tiny.folder);
    await exportModel(source, { to: "gguf", output: file, dtype: "fp32" });
    const { config } = await openCheckpoint(file);
    assert.deepEqual([config.family, config.maxPositions, config.ropeScaling, config.slidingWindow], [source.config.family, source.config.maxPositions, source.config.ropeScaling, source.config.slidingWindow]);
    tiny.remove();
  }
});

test("frequencies of a GGUF file are written so that they come out alike", async () => {
  const tiny = tinyCheckpoint("llama-llama3");
  copy(tiny.folder);
  const [file, output] = [join(folder, "llama3.gguf"), join(folder, "llama3-hf")];
  await exportModel(await openCheckpoint(tiny.folder), { to: "gguf", output: file, dtype: "fp32" });
  await exportModel(await openCheckpoint(file), { to: "safetensors", output });
  const model = await load(output, { threads: 1 });
  const { logits } = await model.prefill(prompt);
  assert.ok(relativeError(logits, forward(tiny.config, tiny.weights, prompt).logits) < 1e-4);
  await model.release();
  tiny.remove();
});

test("a weight beyond half precision is refused, not made infinite", async () => {
  const tiny = tinyCheckpoint("llama");
  const checkpoint = await openCheckpoint(tiny.folder);
  const name = "model.norm.weight";
  const { file, offset } = checkpoint.tensors.get(name)!;
  const bytes = readFileSync(file);
  assert.equal(checkpoint.tensors.get(name)!.dtype, "F32");
  bytes.writeFloatLE(1e6, offset + 4);
  writeFileSync(file, bytes);
  await assert.rejects(exportModel(checkpoint, { to: "safetensors", output: join(folder, "big"), dtype: "fp16" }), /tensor model\.norm\.weight: 1000000 \(fp16 ends at 65504: take fp32 or bf16\)/);
  tiny.remove();
});

for (const dtype of ["int4:nearest", "int8"]) {
  test(`blocks of ${dtype} are written as the numbers they stand for`, async () => {
    const cacheFolder = join(folder, "cache");
    const output = join(folder, `from-${dtype.replace(":", "-")}`);
    const settings = { threads: 1, accuracy: "float32", cacheFolder } as const;
    await exportModel(await openCheckpoint("tiny", { dtype, cacheFolder }), { to: "safetensors", output, dtype: "fp32" });
    const [blocks, written, original] = [await load("tiny", { ...settings, dtype }), await load(output, settings), await load("tiny", settings)];
    const [a, b, c] = await Promise.all([blocks, written, original].map(async (model) => (await model.prefill(prompt)).logits));
    assert.ok(relativeError(b!, a!) < 1e-4, String(relativeError(b!, a!)));
    assert.ok(relativeError(c!, a!) > 1e-3, "the blocks are not the numbers they were made from");
    for (const model of [blocks, written, original]) await model.release();
  });
}
