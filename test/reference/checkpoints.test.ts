import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Tokenizer } from "@huggingface/tokenizers";
import { tinyCheckpoint } from "./checkpoints.js";
import { rounded, type Stored } from "./storage.js";
import { TINY_SPECIAL, TINY_VOCABULARY } from "./tokenizer.js";
import { type Variant, variants } from "./variants.js";

test("rounding to half precision is to nearest, ties to even, with subnormals and overflow", () => {
  const half: [number, number][] = [[0.1, 0.0999755859375], [2049, 2048], [2051, 2052], [65519, 65504], [65520, Infinity], [2 ** -24, 2 ** -24], [2 ** -25, 0], [3 * 2 ** -25, 2 ** -23], [-1.0004, -1]];
  for (const [value, expected] of half) assert.equal(rounded(value, "F16"), expected, `F16 of ${value}`);
  const brain: [number, number][] = [[1 + 2 ** -8, 1], [1 + 3 * 2 ** -8, 1 + 2 ** -6], [0.1, 0.10009765625], [-3.14159, -3.140625], [1e39, Infinity]];
  for (const [value, expected] of brain) assert.equal(rounded(value, "BF16"), expected, `BF16 of ${value}`);
});

test("files hold the weights that are returned, for every dtype", (t) => {
  for (const dtype of ["F32", "F16", "BF16"] as const) {
    const checkpoint = tinyCheckpoint("qwen2", { dtype, seed: 5 });
    t.after(() => checkpoint.remove());
    const stored = readAll(checkpoint.folder, ["model.safetensors"]);
    assert.deepEqual([...stored.keys()].sort(), [...checkpoint.weights.keys()].sort());
    for (const [name, { values, shape, kind }] of stored) {
      assert.equal(kind, dtype);
      assert.deepEqual(shape, checkpoint.shapes.get(name));
      assert.deepEqual(values, checkpoint.weights.get(name), name);
    }
  }
});

test("shards share the tensors among them and the index says where each lies", (t) => {
  const checkpoint = tinyCheckpoint("llama", { shards: 3 });
  t.after(() => checkpoint.remove());
  const index = JSON.parse(readFileSync(join(checkpoint.folder, "model.safetensors.index.json"), "utf8"));
  const files = readdirSync(checkpoint.folder).filter((file) => file.endsWith(".safetensors")).sort();
  assert.deepEqual(files, [1, 2, 3].map((n) => `model-0000${n}-of-00003.safetensors`));
  assert.deepEqual(Object.keys(index.weight_map).sort(), [...checkpoint.weights.keys()].sort());
  for (const file of files) {
    const inside = [...readAll(checkpoint.folder, [file]).keys()];
    assert.ok(inside.length > 0);
    for (const name of inside) assert.equal(index.weight_map[name], file);
  }
  assert.equal(readAll(checkpoint.folder, files).size, checkpoint.weights.size);
});

test("the same seed gives the same weights and another seed others", (t) => {
  const [a, b, c] = [1, 1, 2].map((seed) => tinyCheckpoint("mistral", { seed }));
  t.after(() => [a, b, c].forEach((checkpoint) => checkpoint!.remove()));
  assert.deepEqual(a!.weights, b!.weights);
  assert.notDeepEqual(a!.weights, c!.weights);
});

test("variants differ where families may differ", () => {
  const all = Object.values(variants) as { [field: string]: unknown; num_attention_heads: number; num_key_value_heads: number; vocab_size: number }[];
  const groups = new Set(all.map((config) => config.num_attention_heads / config.num_key_value_heads));
  assert.deepEqual([...groups].sort(), [1, 2, 3, 4]);
  assert.deepEqual(new Set(all.map((config) => config["model_type"])), new Set(["llama", "mistral", "qwen2", "qwen3", "phi3", "gemma", "gemma2", "gpt2", "bloom"]));
  assert.notEqual(TINY_VOCABULARY % 8, 0);
});

test("the tokenizer loads, merges, and gives back any text", (t) => {
  const checkpoint = tinyCheckpoint("qwen3" satisfies Variant);
  t.after(() => checkpoint.remove());
  const read = (file: string) => JSON.parse(readFileSync(join(checkpoint.folder, file), "utf8"));
  const tokenizer = new Tokenizer(read("tokenizer.json"), read("tokenizer_config.json"));
  const text = "the king and the sea\n— ¡é 日本 🙂\t0123";
  const { ids } = tokenizer.encode(text);
  assert.equal(ids[0], TINY_SPECIAL.bos);
  assert.equal(tokenizer.decode(ids, { skip_special_tokens: true }), text);
  assert.ok(ids.every((id: number) => id >= 0 && id < TINY_VOCABULARY));
  assert.ok(tokenizer.encode("in the and").tokens.join("|").endsWith("in|Ġthe|Ġand"));
});

test("a vocabulary smaller than the tokenizer's gets no tokenizer", (t) => {
  const checkpoint = tinyCheckpoint("llama", { config: { vocab_size: 61 } });
  t.after(() => checkpoint.remove());
  assert.equal(existsSync(join(checkpoint.folder, "tokenizer.json")), false);
  assert.deepEqual(checkpoint.shapes.get("lm_head.weight"), [61, 32]);
});

/** A second reading of the file format and of the number formats, bit by bit. */
function readAll(folder: string, files: readonly string[]) {
  const tensors = new Map<string, { values: Float64Array; shape: number[]; kind: Stored }>();
  for (const file of files) {
    const bytes = readFileSync(join(folder, file));
    const length = Number(bytes.readBigUInt64LE());
    const header = JSON.parse(bytes.toString("utf8", 8, 8 + length));
    delete header.__metadata__;
    for (const [name, { dtype, shape, data_offsets }] of Object.entries<{ dtype: Stored; shape: number[]; data_offsets: [number, number] }>(header)) {
      const data = bytes.subarray(8 + length + data_offsets[0], 8 + length + data_offsets[1]);
      const size = dtype === "F32" ? 4 : 2;
      const number = (i: number) => (size === 4 ? data.readFloatLE(4 * i) : fromBits(data.readUInt16LE(2 * i), dtype === "F16" ? 5 : 8));
      tensors.set(name, { values: Float64Array.from({ length: data.length / size }, (_, i) => number(i)), shape, kind: dtype });
    }
  }
  return tensors;
}

/** A 16-bit float with the given number of exponent bits. */
function fromBits(bits: number, exponentBits: number): number {
  const fractionBits = 15 - exponentBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  const exponent = (bits >> fractionBits) & (2 ** exponentBits - 1);
  const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  const magnitude = exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias);
  return bits & 0x8000 ? -magnitude : magnitude;
}
