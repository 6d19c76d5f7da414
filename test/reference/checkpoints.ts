// Tiny random Hugging Face model folders of every family, with the exact weights that are in them.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HfConfig } from "./config.js";
import { rounded, type Stored, type TensorToWrite, writeSafetensorsFile } from "./storage.js";
import { tinyTokenizer, tinyTokenizerConfig, TINY_VOCABULARY } from "./tokenizer.js";
import { tensorShapes, type Variant, variants } from "./variants.js";

export interface TinyCheckpoint {
  /** A new temporary folder; `remove` it when done. */
  folder: string;
  config: HfConfig;
  /** By Hugging Face name: the values as stored, so after rounding to the stored dtype. */
  weights: Map<string, Float64Array>;
  shapes: Map<string, number[]>;
  remove(): void;
}

export interface TinyOptions {
  dtype?: Stored;
  /** Number of safetensors files; above 1 with an index. */
  shards?: number;
  seed?: number;
  /** Fields of config.json to change; `undefined` takes one away. */
  config?: Partial<HfConfig>;
}

/**
 * Writes a random checkpoint: config.json, tokenizer.json, tokenizer_config.json, model.safetensors (or shards).
 * Weights are scaled so that activations stay near 1 and attention is far from uniform; norms and biases are random
 * too, so that one left out shows. A vocabulary smaller than the tokenizer's gets no tokenizer.
 */
export function tinyCheckpoint(variant: Variant, options: TinyOptions = {}): TinyCheckpoint {
  const { dtype = "F32", shards = 1, seed = 1 } = options;
  const config: HfConfig = { ...variants[variant], torch_dtype: { F32: "float32", F16: "float16", BF16: "bfloat16" }[dtype], ...options.config };
  const normal = normalNumbers(seed);
  const tensors = tensorShapes(config).map(([name, shape]): TensorToWrite => {
    const values = Float64Array.from({ length: shape.reduce((a, b) => a * b) }, () => rounded(scaled(normal(), name, shape, config.model_type), dtype));
    return { name, shape, values, dtype };
  });

  const folder = mkdtempSync(join(tmpdir(), `sdtp-${variant}-`));
  const write = (file: string, value: object) => writeFileSync(join(folder, file), JSON.stringify(value, null, 2));
  write("config.json", config);
  if (config.vocab_size >= TINY_VOCABULARY) {
    write("tokenizer.json", tinyTokenizer());
    write("tokenizer_config.json", tinyTokenizerConfig());
  }
  if (shards === 1) writeSafetensorsFile(join(folder, "model.safetensors"), tensors, { format: "pt" });
  else writeShards(folder, tensors, shards, write);
  return {
    folder,
    config,
    weights: new Map(tensors.map(({ name, values }) => [name, values])),
    shapes: new Map(tensors.map(({ name, shape }) => [name, [...shape]])),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function writeShards(folder: string, tensors: TensorToWrite[], shards: number, write: (file: string, value: object) => void): void {
  const number = (n: number) => String(n).padStart(5, "0");
  const map: Record<string, string> = {};
  for (let shard = 0; shard < shards; shard++) {
    const file = `model-${number(shard + 1)}-of-${number(shards)}.safetensors`;
    const part = tensors.filter((_, i) => Math.floor((i * shards) / tensors.length) === shard);
    part.forEach(({ name }) => (map[name] = file));
    writeSafetensorsFile(join(folder, file), part, { format: "pt" });
  }
  const size = { F32: 4, F16: 2, BF16: 2 };
  write("model.safetensors.index.json", {
    metadata: { total_size: tensors.reduce((sum, { values, dtype }) => sum + values.length * size[dtype], 0) },
    weight_map: map,
  });
}

function scaled(value: number, name: string, shape: readonly number[], family: string): number {
  if (/(norm|ln_[12f])\.weight$/.test(name)) return (family.startsWith("gemma") ? 0 : 1) + 0.2 * value;
  if (name.endsWith(".bias")) return 0.2 * value;
  if (/embed|wte|wpe/.test(name)) return family.startsWith("gemma") ? 0.2 * value : value;
  const gain = /[qk]_proj|qkv_proj|c_attn|query_key_value/.test(name) ? 1.5 : 1;
  return (gain * value) / Math.sqrt(shape[family === "gpt2" ? 0 : 1]!);
}

/** Seeded standard normal numbers: mulberry32 and the Box-Muller transform. */
export function normalNumbers(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
