import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { readGgufHeader } from "../../../lib/checkpoint/gguf/header.js";
import { decodeFloat16, encodeFloat16 } from "../../../lib/checkpoint/half.js";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { dequantizeRows, quantizeRows } from "../../../lib/checkpoint/quantize.js";
import { ggmlTypes, isPlain, type GgmlType } from "../../../lib/checkpoint/gguf/types.js";
import { allValues } from "../../../lib/checkpoint/values.js";
import { load } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import type { HfConfig } from "../../reference/config.js";
import { forward } from "../../reference/forward.js";
import { rotaryFrequencies } from "../../reference/rotary.js";
import { tinyTokenizer } from "../../reference/tokenizer.js";
import type { Variant } from "../../reference/variants.js";
import { relativeError } from "../relative-error.js";
import { temporaryFolder } from "./fixtures.js";
import { ggufFile, ggufOf, type Kind } from "./gguf-file.js";

const ids = [5, 250, 31, 7, 7, 199, 64, 3, 120, 88];
const matrix = (kind: Kind) => (name: string): Kind => (/norm|bias/.test(name) ? "F32" : kind);

async function written(t: TestContext, variant: Variant, kindOf: (name: string) => Kind, { config, more }: { config?: Partial<HfConfig>; more?: Parameters<typeof ggufOf>[4] } = {}) {
  const tiny = tinyCheckpoint(variant, { config: { intermediate_size: 64, ...config } });
  t.after(() => tiny.remove());
  const folder = await temporaryFolder(t);
  const { bytes, values } = ggufOf(tiny.config, tiny.weights, tiny.shapes, kindOf, more);
  const file = join(folder, "tiny.gguf");
  await writeFile(file, bytes);
  return { file, folder, values, config: tiny.config };
}

const cases: [Variant, Kind, string, number][] = [
  ["llama", "F32", "fp32", 0], ["llama-linear-biases", "F16", "fp16", 0], ["qwen2", "F16", "fp16", 0], ["qwen2", "BF16", "bf16", 0], ["qwen3-tied", "F32", "fp32", 0],
  ["llama-tied", "Q8_0", "q8_0", 1], ["qwen2", "Q4_0", "q4_0", 1], ["llama", "Q4_0", "q4_0", 1],
];
for (const [variant, kind, dtype, entries] of cases) {
  test(`${variant} in ${kind}: the logits of the plain pass with the values that the file stands for`, async (t) => {
    const linear = variant === "llama-linear-biases";
    // llama.cpp has biases on queries, keys and values only.
    const config = linear ? { mlp_bias: false, attention_bias: false } : {};
    const more: Parameters<typeof ggufOf>[4] = linear ? { "llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": { float: 4 } } : variant.startsWith("qwen3") ? { "qwen3.attention.key_length": 16 } : {};
    const gguf = await written(t, variant, matrix(kind), { config, more });
    const cacheFolder = join(gguf.folder, "cache");
    const model = await load(gguf.file, { threads: 1, accuracy: "float32", cacheFolder });
    t.after(() => model.release());
    assert.equal(model.dtype, dtype);
    assert.equal((await readdir(cacheFolder).catch(() => [])).length, entries);
    const expected = forward(gguf.config, gguf.values, ids, { allLogits: true }).allLogits!;
    const run = await model.prefill(ids.slice(0, 8));
    assert.ok(relativeError(run.logits, expected[7]!) < 1e-4, String(relativeError(run.logits, expected[7]!)));
    assert.ok(relativeError(await run.extend([ids[8]!]), expected[8]!) < 1e-4);
  });
}

for (const kind of (Object.keys(ggmlTypes) as GgmlType[]).filter((type) => !isPlain(type))) {
  test(`a model in ${kind} is held with nothing lost: the logits of the plain pass`, async (t) => {
    // Rows of 256; llama's queries and keys interleaved, the embedding looked up and multiplied.
    const config = { hidden_size: 256, num_attention_heads: 8, num_key_value_heads: 4, intermediate_size: 256, tie_word_embeddings: true };
    const gguf = await written(t, "llama-tied", matrix(kind), { config });
    const model = await load(gguf.file, { threads: 1, accuracy: "float32", dtype: "stored", cacheFolder: join(gguf.folder, "cache") });
    t.after(() => model.release());
    assert.equal(model.dtype, kind.toLowerCase());
    const expected = forward(gguf.config, gguf.values, ids, { allLogits: true }).allLogits!;
    const run = await model.prefill(ids.slice(0, 8));
    assert.ok(relativeError(run.logits, expected[7]!) < 1e-4, String(relativeError(run.logits, expected[7]!)));
    assert.ok(relativeError(await run.extend([ids[8]!]), expected[8]!) < 1e-4);
    // As int8 activations multiply them: the levels lie so that this costs no more than with int8 weights.
    const fast = await load(gguf.file, { threads: 1, dtype: "stored", cacheFolder: join(gguf.folder, "cache") });
    t.after(() => fast.release());
    const error = relativeError((await fast.prefill(ids.slice(0, 9))).logits, expected[8]!);
    assert.ok(error < 0.03, String(error));
    for (const [name, values] of gguf.values) {
      const held = await allValues(model.checkpoint.tensors.get(name)!);
      assert.ok(held.every((value, i) => value === Math.fround(values[i]!)), name);
    }
  });
}

test("Q6_K beside Q4_0, as llama.cpp keeps the head of such a file", async (t) => {
  const gguf = await written(t, "qwen2-tied", (name) => (/norm|bias/.test(name) ? "F32" : name.includes("embed") ? "Q6_K" : "Q4_0"), { config: { hidden_size: 256, num_attention_heads: 8, intermediate_size: 256 } });
  const options = { threads: 1, accuracy: "float32", cacheFolder: join(gguf.folder, "cache") } as const;
  const expected = forward(gguf.config, gguf.values, ids).logits;
  // Without loss when that is asked for; by default with the head in 8 bits, blocks of 128.
  for (const [dtype, name, most] of [["stored", "q4_0", 1e-4], [undefined, "compact (q4_0)", 0.03]] as const) {
    const model = await load(gguf.folder, { ...options, onNote() {}, ...(dtype && { dtype }) });
    t.after(() => model.release());
    assert.equal(model.dtype, name);
    const error = relativeError((await model.prefill(ids)).logits, expected);
    assert.ok(error < most && (dtype || error > 1e-4), String(error));
  }
});

test("llama 3's own frequencies come from the file", async (t) => {
  const tiny = tinyCheckpoint("llama-llama3", { config: { intermediate_size: 64 } });
  t.after(() => tiny.remove());
  const folder = await temporaryFolder(t);
  const plain = rotaryFrequencies({ ...tiny.config, rope_scaling: null });
  const factors = Float64Array.from(rotaryFrequencies(tiny.config), (frequency, i) => plain[i]! / frequency);
  assert.ok(factors.some((factor) => factor > 1));
  const { bytes, values } = ggufOf(tiny.config, tiny.weights, tiny.shapes, () => "F32", { "llama.attention.key_length": 8 }, [{ name: "rope_freqs.weight", shape: [4], kind: "F32", values: factors }]);
  await writeFile(join(folder, "m.gguf"), bytes);
  const model = await load(join(folder, "m.gguf"), { threads: 1 });
  t.after(() => model.release());
  assert.ok(relativeError((await model.prefill(ids)).logits, forward(tiny.config, values, ids).logits) < 1e-4);
});

test("the tokenizer and the chat template in the file", async (t) => {
  const { model } = tinyTokenizer() as { model: { vocab: Record<string, number>; merges: (string | [string, string])[] } };
  const tokens = Object.entries(model.vocab).sort(([, a], [, b]) => a - b).map(([token]) => token);
  const { size } = new Set(tokens);
  const vocabulary = size + 1;
  const more = {
    "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.tokens": [...tokens, "<|end|>"],
    "tokenizer.ggml.token_type": { ints: [...tokens.map(() => 1), 3] }, "tokenizer.ggml.merges": model.merges.map((merge) => (typeof merge === "string" ? merge : merge.join(" "))),
    "tokenizer.ggml.bos_token_id": tokens.length, "tokenizer.ggml.eos_token_id": tokens.length, "tokenizer.chat_template": "{{ messages[0].content }}{{ eos_token }}",
  };
  const gguf = await written(t, "qwen2", matrix("F32"), { config: { vocab_size: vocabulary }, more });
  const checkpoint = await openCheckpoint(gguf.file);
  const tokenizer = await checkpoint.tokenizer();
  const text = "in the king and\nthe sea — ¡é 日本 🙂 0123";
  const encoded = tokenizer.encode(text);
  assert.equal(tokenizer.decode(encoded), text);
  assert.ok(encoded.length < Buffer.byteLength(text), "merges apply");
  assert.deepEqual(tokenizer.encode("<|end|>"), [tokens.length]);
  assert.equal((await checkpoint.chatTemplate()).render([{ role: "user", content: "hi" }]), "hi<|end|>");
  assert.deepEqual(checkpoint.config.eosTokenIds, [tokens.length]);
  const odd = await written(t, "qwen2", matrix("F32"), { config: { vocab_size: vocabulary }, more: { ...more, "tokenizer.ggml.pre": "of-tomorrow" } });
  await assert.rejects((await openCheckpoint(odd.file)).tokenizer(), /tokenizer\.ggml\.pre: "of-tomorrow" \(supported: llama-bpe, .*put the model's tokenizer\.json beside the file/);
});

test("sentencepiece: the best-scored merge first, bytes where no piece fits, a space before the text", async (t) => {
  const pieces: [string, number][] = [["▁", -5], ["a", -6], ["b", -7], ["c", -8], ["ab", -2], ["bc", -1], ["▁a", -3], ["abc", -4]];
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...pieces.map(([piece]) => piece)];
  const more = {
    "tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.scores": { floats: [0, 0, 0, ...bytes.map(() => 0), ...pieces.map(([, score]) => score)] },
    "tokenizer.ggml.token_type": { ints: [2, 3, 3, ...bytes.map(() => 6), ...pieces.map(() => 1)] }, "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2,
  };
  const gguf = await written(t, "llama", matrix("F32"), { config: { vocab_size: tokens.length }, more });
  const tokenizer = await (await openCheckpoint(gguf.file)).tokenizer();
  const names = (text: string) => tokenizer.encode(text).map((id) => tokenizer.token(id));
  // "bc" has the best score, then "▁a": not "ab".
  assert.deepEqual(names("abc"), ["<s>", "▁a", "bc"]);
  assert.deepEqual(names("c é"), ["<s>", "▁", "c", "▁", "<0xC3>", "<0xA9>"]);
  assert.equal(tokenizer.decode(tokenizer.encode("abc é a"), { skipSpecialTokens: true }), "abc é a");
});

test("quantised weights are held in another dtype as the numbers they stand for", async (t) => {
  const gguf = await written(t, "llama", matrix("Q4_1"));
  const cacheFolder = join(gguf.folder, "cache");
  const opened = await openCheckpoint(gguf.file, { cacheFolder });
  const name = "model.layers.1.self_attn.q_proj.weight";
  const values = Float32Array.from(gguf.values.get(name)!);
  const held = async (dtype: string) => {
    const checkpoint = await openCheckpoint(gguf.file, { dtype, cacheFolder });
    assert.equal(checkpoint.dtype, dtype);
    assert.equal(checkpoint.original!.dtype, opened.dtype);
    return allValues(checkpoint.tensors.get(name)!);
  };
  assert.deepEqual(await held("fp32"), values);
  assert.deepEqual(await held("fp16"), decodeFloat16(encodeFloat16(values)));
  assert.deepEqual(await held("int8"), dequantizeRows(quantizeRows(values, opened.config.hiddenSize, 8, true), opened.config.hiddenSize, 8));
});

test("what is wrong with a file is said with its name", async (t) => {
  const gguf = await written(t, "llama", matrix("F32"));
  const other = (bytes: Uint8Array) => writeFile(gguf.file, bytes);
  await other(ggufFile({ "general.architecture": "mamba" }, []).bytes);
  await assert.rejects(openCheckpoint(gguf.file), /tiny\.gguf: general\.architecture: "mamba" \(supported: llama, .*qwen2, .*bloom\)/);
  await other(Buffer.from("no GGUF at all"));
  await assert.rejects(openCheckpoint(gguf.file), /tiny\.gguf: not a GGUF file/);
  const good = await written(t, "llama", matrix("F32"));
  const bytes = await readFile(good.file);
  await other(bytes.subarray(0, bytes.length - 4000));
  await assert.rejects(openCheckpoint(gguf.file), /tensor .*: ends at byte \d+ of a file of \d+ bytes \(truncated\)/);
  await other(bytes.subarray(0, 100));
  await assert.rejects(openCheckpoint(gguf.file), /tiny\.gguf: tensor count: \d+ \(more than a file of 100 bytes holds: truncated or damaged\)/);
  await writeFile(join(good.folder, "b.gguf"), "GGUF");
  await assert.rejects(openCheckpoint(good.folder), /has 2 GGUF files \(give one of them/);
});

for (const [kind, place] of [["Q8_0", 0], ["Q4_0", 0], ["Q6_K", 208], ["Q4_K", 2], ["IQ4_NL", 0]] as const) {
  test(`a block of ${kind} whose scale is not a number is refused by tensor and row, however it is held: products would make numbers of it`, async (t) => {
    const gguf = await written(t, "llama", matrix(kind), { config: { hidden_size: 256, num_attention_heads: 8, intermediate_size: 256 } });
    const { offset } = (await readGgufHeader(gguf.file)).tensors.get("blk.1.ffn_up.weight")!;
    const bytes = await readFile(gguf.file);
    const { block, bytes: size } = ggmlTypes[kind];
    bytes.writeUInt16LE(0x7e00, offset + (256 / block) * size + place);
    await writeFile(gguf.file, bytes);
    const cacheFolder = join(gguf.folder, "cache");
    const refused = /tensor (blk\.1\.ffn_up\.weight, row 1: a block's (scale|offset) is NaN \(must be finite|model\.layers\.1\.mlp\.up_proj\.weight, from row 0: quantisation: a value in row 1 is not finite)/;
    for (const dtype of [undefined, "stored"]) await assert.rejects(openCheckpoint(gguf.file, { cacheFolder, ...(dtype && { dtype }) }), refused);
    assert.deepEqual(await readdir(cacheFolder), []);
  });
}
