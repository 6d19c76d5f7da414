import { join } from "node:path";
import { writeOutput } from "../../files.js";
import { formatJson } from "../../format-json.js";
import type { BuiltIn } from "../../runtime/session.js";

/** What a run of `sdtp bench gpu` measures. */
export interface GpuSettings {
  readonly device: BuiltIn;
  /** A small shape at short lengths: tries the script, says nothing of a card. */
  readonly tiny: boolean;
  /** Models of Table 2, by a name of their own. */
  readonly models: readonly GpuModel[];
  /** The embedded model, with real text, by which methods are checked, and a shape by which operators are. */
  readonly checked: { readonly methods: string; readonly operators: string; readonly length: number };
  readonly dtype: string;
  /** Lengths that matter most, and those that take long: prompts with the new tokens fit into the models' positions. */
  readonly near: readonly number[];
  readonly far: readonly number[];
  /** Beside the baseline. */
  readonly ours: readonly string[];
  readonly rivals: readonly string[];
  readonly repeats: number;
  readonly newTokens: number;
  /** Cache lengths at which a decode step is held against one read. */
  readonly depths: readonly number[];
  /** Where energy is taken, for at least so many seconds of prompts. */
  readonly energy: { readonly length: number; readonly seconds: number };
  /** Bytes that bandwidth is measured over. */
  readonly bandwidthBytes: number;
}

export interface GpuModel {
  /** As it is called in files and rows: `mistral-7b`. */
  readonly label: string;
  /** As `load` takes it. */
  readonly name: string;
}

const K = 1024;
const NEW_TOKENS = 128;
/** That many positions the synthetic models have: the longest prompt leaves room for the tokens after it. */
const LONGEST = 128 * K - NEW_TOKENS;

/** A card, in full. */
export function fullSettings(device: BuiltIn, folder: string): GpuSettings {
  return {
    device, tiny: false,
    models: ["qwen2-7b", "mistral-7b"].map((label) => ({ label, name: `synthetic:${label}` })),
    checked: { methods: "tiny", operators: `synthetic:${join(folder, "models", "operators.json")}`, length: 512 },
    dtype: "fp16",
    near: [4 * K, 16 * K, 32 * K], far: [8 * K, 64 * K, LONGEST],
    ours: ["sdtp", "keep07"], rivals: ["gemfilter", "fastkv", "snapkv", "streamingllm"],
    repeats: 3, newTokens: NEW_TOKENS,
    depths: [K, 4 * K, 16 * K, 64 * K], energy: { length: 16 * K, seconds: 5 }, bandwidthBytes: 2 ** 30,
  };
}

/** The same steps over a shape that any machine computes. */
export function tinySettings(device: BuiltIn, folder: string): GpuSettings {
  return {
    ...fullSettings(device, folder), tiny: true,
    models: [{ label: "small", name: `synthetic:${join(folder, "models", "small.json")}` }],
    checked: { methods: "tiny", operators: `synthetic:${join(folder, "models", "operators.json")}`, length: 96 },
    near: [64, 128], far: [256], rivals: ["gemfilter", "snapkv"], repeats: 2, newTokens: 8,
    depths: [64, 256], energy: { length: 64, seconds: 1 }, bandwidthBytes: 2 ** 24,
  };
}

const SHAPE = {
  model_type: "qwen2", hidden_act: "silu", vocab_size: 512, max_position_embeddings: 4096, rms_norm_eps: 1e-6, rope_theta: 1_000_000,
  use_sliding_window: false, tie_word_embeddings: false, initializer_range: 0.02, bos_token_id: 0, eos_token_id: 0,
};

/** Writes the shapes that are not known by a name. Heads are those of the large models: of 128. */
export async function writeShapes(folder: string): Promise<void> {
  const write = (name: string, fields: object) => writeOutput(join(folder, "models", `${name}.json`), formatJson({ ...SHAPE, ...fields }));
  await write("operators", { hidden_size: 256, intermediate_size: 512, num_hidden_layers: 6, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 128 });
  await write("small", { hidden_size: 128, intermediate_size: 256, num_hidden_layers: 12, num_attention_heads: 2, num_key_value_heads: 1, head_dim: 64 });
}
