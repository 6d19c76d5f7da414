import { parseConfig } from "../config.js";
import { readFloats } from "../safetensors.js";
import type { ModelConfig, StoredTensor } from "../types.js";
import type { GgufHeader } from "./header.js";

const architectures = ["llama", "qwen2", "qwen3"] as const;
export type Architecture = (typeof architectures)[number];

export interface GgufConfig {
  readonly architecture: Architecture;
  readonly config: ModelConfig;
  /** The same as a Hugging Face config.json. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** A model's shape from the metadata of a GGUF file. @throws an error that names file, field and value */
export async function ggufConfig({ metadata, tensors }: GgufHeader, file: string): Promise<GgufConfig> {
  const architecture = architectures.find((each) => each === metadata["general.architecture"]);
  if (!architecture) throw new Error(`${file}: general.architecture: ${JSON.stringify(metadata["general.architecture"])} (supported: ${architectures.join(", ")})`);
  const field = (name: string) => plain(metadata[`${architecture}.${name}`]);
  const heads = field("attention.head_count");
  const headDim = field("attention.key_length") ?? Number(field("embedding_length")) / Number(heads);
  const turned = field("rope.dimension_count");
  if (turned !== undefined && turned !== headDim) throw new Error(`${file}: ${architecture}.rope.dimension_count: ${String(turned)} (supported: ${String(headDim)}, rotary over the whole head)`);
  const scaling = field("rope.scaling.type");
  const raw = {
    model_type: architecture,
    hidden_act: "silu",
    hidden_size: field("embedding_length"),
    num_hidden_layers: field("block_count"),
    num_attention_heads: heads,
    num_key_value_heads: field("attention.head_count_kv") ?? heads,
    head_dim: headDim,
    intermediate_size: field("feed_forward_length"),
    vocab_size: tensors.get("token_embd.weight")?.shape[0],
    max_position_embeddings: field("context_length"),
    rms_norm_eps: field("attention.layer_norm_rms_epsilon"),
    rope_theta: field("rope.freq_base") ?? 10000,
    rope_scaling: scaling === undefined || scaling === "none" ? null : { type: scaling, factor: field("rope.scaling.factor") },
    attention_bias: architecture === "llama" && tensors.has("blk.0.attn_q.bias"),
    tie_word_embeddings: !tensors.has("output.weight"),
    bos_token_id: plain(metadata["tokenizer.ggml.bos_token_id"]) ?? null,
    eos_token_id: endTokens(metadata),
  };
  const config = parseConfig(raw, `${file} (its metadata)`);
  const factors = tensors.get("rope_freqs.weight");
  if (!factors) return { architecture, raw, config };
  return { architecture, raw, config: { ...config, ropeScaling: { kind: "factors", factors: [...(await readFloats({ ...factors, dtype: "F32" } as StoredTensor))] } } };
}

/** End of the text, and of a turn where the file names one. */
function endTokens(metadata: Readonly<Record<string, unknown>>): number[] {
  const ids = ["eos", "eot"].map((name) => plain(metadata[`tokenizer.ggml.${name}_token_id`])).filter((id): id is number => typeof id === "number");
  return [...new Set(ids)];
}

function plain(value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
