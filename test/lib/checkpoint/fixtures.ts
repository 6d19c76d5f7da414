// Small model folders for tests: random weights of any family, a byte-level BPE tokenizer.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { parseConfig } from "../../../lib/checkpoint/config.js";
import { requiredTensors } from "../../../lib/checkpoint/required.js";
import { writeSafetensors, type TensorToWrite } from "../../../lib/checkpoint/safetensors.js";
import type { Family, StoredDtype } from "../../../lib/checkpoint/types.js";

export type RawConfig = Record<string, unknown>;

/** A temporary folder that goes with the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sdtp-checkpoint-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** config.json of a model with 2 blocks, d 16, 4 heads, 2 kv heads, head 4, ffn 24, 300 tokens, 64 positions. */
export function rawConfig(family: Family, changes: RawConfig = {}): RawConfig {
  return {
    model_type: family, hidden_act: "silu", hidden_size: 16, intermediate_size: 24, num_hidden_layers: 2,
    num_attention_heads: 4, num_key_value_heads: 2, vocab_size: 300, max_position_embeddings: 64, rms_norm_eps: 1e-6,
    rope_theta: 10000, tie_word_embeddings: false, bos_token_id: 1, eos_token_id: 2,
    ...(family === "qwen3" ? { head_dim: 4 } : {}),
    ...(family === "mistral" ? { sliding_window: null } : {}),
    ...changes,
  };
}

/** Tensors of a config with values that depend on their place alone. */
export function tinyTensors(raw: RawConfig, dtype: StoredDtype = "F32"): TensorToWrite[] {
  return requiredTensors(parseConfig(raw, "config.json")).map(({ name, shape }, index) => {
    const count = shape.reduce((product, size) => product * size, 1);
    return { name, shape, dtype, data: Float32Array.from({ length: count }, (_, i) => Math.sin(index + i * 0.37) / 4) };
  });
}

/** Writes config.json and model.safetensors. */
export async function writeModel(folder: string, raw: RawConfig, tensors = tinyTensors(raw), metadata = {}): Promise<void> {
  await writeFile(join(folder, "config.json"), JSON.stringify(raw));
  await writeSafetensors(join(folder, "model.safetensors"), tensors, metadata);
}

/** A safetensors file from the parts of the format, right or wrong. */
export function rawSafetensors(header: string | object, dataBytes: number, statedLength?: number): Buffer {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(statedLength ?? json.length));
  return Buffer.concat([prefix, json, Buffer.alloc(dataBytes, 1)]);
}

/** The printable stand-in for each byte in byte-level BPE: itself where printable, else U+0100 and up. */
export function byteSymbols(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCharCode(printable ? byte : next++);
  });
}

/** tokenizer.json: 256 bytes, the merges `he`, `ll`, `Ġhe`, and the special token `<end>` as id 259, added before a text. */
export function tokenizerJson(): object {
  const merges = [["h", "e"], ["l", "l"], ["Ġ", "he"]];
  const vocab = Object.fromEntries([...byteSymbols(), ...merges.map(([a, b]) => a! + b!)].map((token, id) => [token, id]));
  return {
    version: "1.0",
    added_tokens: [{ id: 259, content: "<end>", special: true, single_word: false, lstrip: false, rstrip: false, normalized: false }],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<end>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
      special_tokens: { "<end>": { id: "<end>", ids: [259], tokens: ["<end>"] } },
    },
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: { type: "BPE", dropout: null, unk_token: null, fuse_unk: false, byte_fallback: false, vocab, merges },
  };
}
