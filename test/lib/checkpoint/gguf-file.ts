// A GGUF file from the weights of a tiny llama or qwen2, and what its quantised blocks stand for, written from the format's
// description: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md and ggml-quants.c.
import { formats, fromGgml } from "../../../lib/checkpoint/gguf/blocks.js";
import { ggmlTypes, isPlain, type BlockType, type GgmlType } from "../../../lib/checkpoint/gguf/types.js";
import { dequantizeRows } from "../../../lib/checkpoint/quantize.js";
import { rounded } from "../../reference/storage.js";
import type { HfConfig } from "../../reference/config.js";

export type Kind = GgmlType;

export type MetadataValue = string | number | boolean | { float: number } | string[] | { ints: number[] } | { floats: number[] } | { bools: boolean[] };

const u32 = (value: number) => { const b = Buffer.alloc(4); b.writeUInt32LE(value); return b; };
const u64 = (value: number) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(value)); return b; };
const f32 = (value: number) => { const b = Buffer.alloc(4); b.writeFloatLE(value); return b; };
const string = (text: string) => Buffer.concat([u64(Buffer.byteLength(text)), Buffer.from(text)]);

function metadataValue(value: MetadataValue): Buffer {
  if (typeof value === "string") return Buffer.concat([u32(8), string(value)]);
  if (typeof value === "number") return Buffer.concat([u32(4), u32(value)]);
  if (typeof value === "boolean") return Buffer.concat([u32(7), Buffer.of(Number(value))]);
  if (Array.isArray(value)) return Buffer.concat([u32(9), u32(8), u64(value.length), ...value.map(string)]);
  if ("float" in value) return Buffer.concat([u32(6), f32(value.float)]);
  if ("bools" in value) return Buffer.concat([u32(9), u32(7), u64(value.bools.length), Buffer.from(value.bools.map(Number))]);
  if ("ints" in value) return Buffer.concat([u32(9), u32(5), u64(value.ints.length), ...value.ints.map(u32)]);
  return Buffer.concat([u32(9), u32(6), u64(value.floats.length), ...value.floats.map(f32)]);
}

export interface GgufTensorToWrite {
  name: string;
  shape: readonly number[];
  kind: Kind;
  values: Float64Array;
}

/** The file's bytes, and for each tensor the values that a reader must get. */
export function ggufFile(metadata: Record<string, MetadataValue>, tensors: readonly GgufTensorToWrite[]): { bytes: Buffer; values: Map<string, Float64Array> } {
  const values = new Map<string, Float64Array>();
  const data = tensors.map(({ name, kind, values: given }) => {
    const encoded = encode(given, kind);
    values.set(name, encoded.values);
    return Buffer.concat([encoded.bytes, Buffer.alloc((32 - (encoded.bytes.length % 32)) % 32)]);
  });
  let offset = 0;
  const infos = tensors.map(({ name, shape, kind }, i) => {
    const info = Buffer.concat([string(name), u32(shape.length), ...[...shape].reverse().map(u64), u32(ggmlTypes[kind].code), u64(offset)]);
    offset += data[i]!.length;
    return info;
  });
  const entries = Object.entries(metadata).map(([key, value]) => Buffer.concat([string(key), metadataValue(value)]));
  const header = Buffer.concat([Buffer.from("GGUF"), u32(3), u64(tensors.length), u64(entries.length), ...entries, ...infos]);
  return { bytes: Buffer.concat([header, Buffer.alloc((32 - (header.length % 32)) % 32), ...data]), values };
}

function half(value: number): Buffer {
  const b = Buffer.alloc(2);
  const sign = value < 0 ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude === 0) return b;
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14);
  b.writeUInt16LE(sign | (((exponent + 15) << 10) + magnitude / 2 ** (exponent - 10) - 1024));
  return b;
}

function encode(values: Float64Array, kind: Kind): { bytes: Buffer; values: Float64Array } {
  if (kind === "F32") return { bytes: Buffer.from(Float32Array.from(values).buffer), values: Float64Array.from(values, Math.fround) };
  if (kind === "F16") {
    const stored = values.map((value) => rounded(value, "F16"));
    return { bytes: Buffer.concat([...stored].map(half)), values: stored };
  }
  if (kind === "BF16") {
    const stored = values.map((value) => rounded(value, "BF16"));
    return { bytes: Buffer.from(Uint16Array.from(new Uint32Array(Float32Array.from(stored).buffer), (word) => word >>> 16).buffer), values: stored };
  }
  if (!isPlain(kind) && !["Q8_0", "Q4_0", "Q6_K"].includes(kind)) return anyBlocks(values, kind);
  const size = kind === "Q6_K" ? 256 : 32;
  const parts: Buffer[] = [];
  const stored = new Float64Array(values.length);
  for (let start = 0; start < values.length; start += size) {
    const block = values.subarray(start, start + size);
    const { bytes, values: out } = kind === "Q8_0" ? q8(block) : kind === "Q4_0" ? q4(block) : q6(block);
    parts.push(bytes);
    stored.set(out, start);
  }
  return { bytes: Buffer.concat(parts), values: stored };
}

/** Where a block has numbers of half precision, and what they are beside the first: minima are about as large as the levels' middle. */
const halves: Partial<Record<BlockType, [number, number][]>> = {
  Q4_1: [[0, 1], [2, -7.5]], Q5_0: [[0, 1]], Q5_1: [[0, 1], [2, -15.5]], Q2_K: [[80, 1], [82, 1.5]], Q3_K: [[108, 1]], Q4_K: [[0, 1], [2, 7.5]],
  Q5_K: [[0, 1], [2, 15.5]], IQ4_NL: [[0, 1]], IQ4_XS: [[0, 1]],
};

/** Random blocks of about the size of the values given: any bytes are blocks. What they stand for is held against ggml's own dequantiser elsewhere. */
function anyBlocks(given: Float64Array, type: BlockType): { bytes: Buffer; values: Float64Array } {
  const { block, bytes: size } = ggmlTypes[type];
  const random = seeded(given.length);
  const bytes = Buffer.from(Uint8Array.from({ length: (given.length / block) * size }, random));
  const decoded = () => dequantizeRows(fromGgml(bytes, type), given.length, formats[type].bits, formats[type].blockSize);
  const size2 = (x: ArrayLike<number>) => Math.sqrt(Array.from(x).reduce((sum, value) => sum + value * value, 0));
  const scale = (d: number) => {
    for (let at = 0; at < bytes.length; at += size) {
      for (const [place, factor] of halves[type] ?? []) half(rounded(factor * d, "F16")).copy(bytes, at + place);
      if (type === "Q8_K") bytes.writeFloatLE(d, at);
      if (type === "MXFP4") bytes[at] = 127 + Math.round(Math.log2(d));
    }
  };
  scale(1);
  scale(size2(given) / size2(decoded()));
  return { bytes, values: Float64Array.from(decoded()) };
}

function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24);
}

function q8(x: Float64Array): { bytes: Buffer; values: Float64Array } {
  const d = rounded(Math.max(...x.map(Math.abs)) / 127, "F16");
  const q = x.map((value) => Math.max(-128, Math.min(127, Math.round(value / (d || 1)))));
  return { bytes: Buffer.concat([half(d), Buffer.from(Int8Array.from(q).buffer)]), values: q.map((value) => d * value) };
}

function q4(x: Float64Array): { bytes: Buffer; values: Float64Array } {
  const extreme = x.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
  const d = rounded(extreme / -8, "F16");
  const q = x.map((value) => Math.max(0, Math.min(15, Math.floor(value / (d || 1) + 8.5))));
  // Byte i: element i low, element i + 16 high.
  return { bytes: Buffer.concat([half(d), Buffer.from(Array.from({ length: 16 }, (_, i) => q[i]! | (q[i + 16]! << 4)))]), values: q.map((value) => d * (value - 8)) };
}

function q6(x: Float64Array): { bytes: Buffer; values: Float64Array } {
  const groups = Array.from({ length: 16 }, (_, g) => Math.max(...x.subarray(16 * g, 16 * (g + 1)).map(Math.abs)) / 31);
  const d = rounded(Math.max(...groups) / 127, "F16");
  const scales = groups.map((scale) => Math.max(1, Math.round(scale / d)));
  const q = Array.from(x, (value, i) => Math.max(-32, Math.min(31, Math.round(value / (d * scales[i >> 4]!)))) + 32);
  const [low, high] = [new Uint8Array(128), new Uint8Array(64)];
  // As ggml packs: for each half of 128, four runs of 32 elements share the bytes.
  for (const halfOf of [0, 1]) {
    for (let l = 0; l < 32; l++) {
      const [a, b, c, e] = [0, 32, 64, 96].map((run) => q[128 * halfOf + run + l]!) as [number, number, number, number];
      low[64 * halfOf + l] = (a & 15) | ((c & 15) << 4);
      low[64 * halfOf + 32 + l] = (b & 15) | ((e & 15) << 4);
      high[32 * halfOf + l] = (a >> 4) | ((b >> 4) << 2) | ((c >> 4) << 4) | ((e >> 4) << 6);
    }
  }
  return { bytes: Buffer.concat([low, high, Buffer.from(Int8Array.from(scales).buffer), half(d)]), values: Float64Array.from(q, (value, i) => d * scales[i >> 4]! * (value - 32)) };
}

const modules: [string, string][] = [
  ["input_layernorm", "attn_norm"], ["post_attention_layernorm", "ffn_norm"], ["self_attn.q_proj", "attn_q"], ["self_attn.k_proj", "attn_k"], ["self_attn.v_proj", "attn_v"],
  ["self_attn.o_proj", "attn_output"], ["self_attn.q_norm", "attn_q_norm"], ["self_attn.k_norm", "attn_k_norm"], ["mlp.gate_proj", "ffn_gate"], ["mlp.up_proj", "ffn_up"], ["mlp.down_proj", "ffn_down"],
];

/**
 * A tiny checkpoint as a GGUF file: as llama.cpp's converter writes it, llama's queries and keys interleaved.
 * @returns the bytes and, by Hugging Face name, the values that it stands for
 */
export function ggufOf(config: HfConfig, weights: ReadonlyMap<string, Float64Array>, shapes: ReadonlyMap<string, readonly number[]>, kindOf: (name: string) => Kind, more: Record<string, MetadataValue> = {}, extra: readonly GgufTensorToWrite[] = []) {
  const a = config.model_type;
  const headDim = config.head_dim ?? config.hidden_size / config.num_attention_heads;
  const kvHeads = config.num_key_value_heads ?? config.num_attention_heads;
  const order = (name: string, values: Float64Array): number[] | null => {
    const heads = a !== "llama" ? 0 : name.includes("q_proj") ? config.num_attention_heads : name.includes("k_proj") ? kvHeads : 0;
    if (heads === 0) return null;
    const width = values.length / (heads * headDim);
    // Row (head, half, i) goes to (head, i, half).
    const rows: number[] = [];
    for (let h = 0; h < heads; h++) for (let i = 0; i < headDim / 2; i++) for (let part = 0; part < 2; part++) rows.push(h * headDim + part * (headDim / 2) + i);
    return rows.flatMap((row) => Array.from({ length: width }, (_, c) => row * width + c));
  };
  const names = new Map<string, string>();
  const orders = new Map<string, number[] | null>();
  const tensors = [...weights].map(([name, values]): GgufTensorToWrite => {
    const block = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name);
    const own = block ? `blk.${block[1]}.${modules.find(([module]) => module === block[2])![1]}.${block[3]}`
      : ({ "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight" } as Record<string, string>)[name]!;
    names.set(own, name);
    const permuted = order(name, values);
    orders.set(name, permuted);
    return { name: own, shape: shapes.get(name)!, kind: kindOf(name), values: permuted ? Float64Array.from(permuted, (from) => values[from]!) : values };
  });
  const metadata = {
    "general.architecture": a, "general.name": "tiny", [`${a}.context_length`]: config.max_position_embeddings, [`${a}.embedding_length`]: config.hidden_size,
    [`${a}.block_count`]: config.num_hidden_layers, [`${a}.feed_forward_length`]: config.intermediate_size, [`${a}.attention.head_count`]: config.num_attention_heads,
    [`${a}.attention.head_count_kv`]: kvHeads, [`${a}.attention.layer_norm_rms_epsilon`]: { float: config.rms_norm_eps }, [`${a}.rope.freq_base`]: { float: config.rope_theta! }, ...more,
  };
  const { bytes, values } = ggufFile(metadata, [...tensors, ...extra]);
  const stored = new Map([...values].filter(([own]) => names.has(own)).map(([own, of]) => {
    const name = names.get(own)!;
    const permuted = orders.get(name);
    if (!permuted) return [name, of] as const;
    const back = new Float64Array(of.length);
    permuted.forEach((to, from) => (back[to] = of[from]!));
    return [name, back] as const;
  }));
  return { bytes, values: stored };
}
