import { parseConfig } from "../config.js";
import { readFloats } from "../safetensors.js";
import type { ModelConfig, RopeScaling, StoredTensor } from "../types.js";
import { architectures, isArchitecture, type Architecture, type ArchitectureName } from "./architectures.js";
import { common } from "./common.js";
import type { GgufHeader } from "./header.js";
import { Metadata } from "./metadata.js";

export interface GgufConfig {
  readonly architecture: ArchitectureName;
  readonly config: ModelConfig;
  /** The same as a Hugging Face config.json. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/**
 * A model's shape from the metadata of a GGUF file, and from which tensors it has: biases and norms of heads are used where they are.
 * @throws an error that names file, field and value: another architecture, a value that is missing or not supported, a field of the
 * architecture that is not known
 */
export async function ggufConfig({ metadata, tensors }: GgufHeader, file: string): Promise<GgufConfig> {
  const architecture = metadata["general.architecture"];
  if (!isArchitecture(architecture)) throw new Error(`${file}: general.architecture: ${JSON.stringify(architecture)} (supported: ${Object.keys(architectures).join(", ")})`);
  const fields = new Metadata(metadata, architecture, file);
  const definition: Architecture = architectures[architecture];
  const vocabulary = tensors.get("token_embd.weight")?.shape[0];
  fields.must("vocab_size", vocabulary);
  const raw = {
    ...common(fields),
    vocab_size: vocabulary,
    tie_word_embeddings: !tensors.has("output.weight"),
    bos_token_id: metadata["tokenizer.ggml.bos_token_id"] ?? null,
    eos_token_id: endTokens(metadata),
    ...definition.config(fields, tensors),
  };
  fields.requireAllRead();
  const parsed = parseConfig(raw, `${file} (its metadata)`);
  const has = (...names: string[]) => names.some((name) => tensors.has(`blk.0.${name}`));
  const config: ModelConfig = {
    ...parsed,
    ...definition.changes,
    qkvBias: parsed.qkvBias || has("attn_q.bias", "attn_k.bias", "attn_v.bias", "attn_qkv.bias"),
    outputBias: parsed.outputBias || has("attn_output.bias"),
    mlpBias: parsed.mlpBias || has("ffn_gate.bias", "ffn_up.bias", "ffn_down.bias"),
    qkNorm: parsed.qkNorm ?? (definition.interleaved ? null : headNorms(tensors, parsed)),
  };
  const factors = tensors.get("rope_freqs.weight");
  if (!factors) return { architecture, raw, config };
  if (factors.type !== "F32" || factors.shape.join() !== String(config.rotaryDim / 2)) throw new Error(`${file}: tensor rope_freqs.weight: ${factors.type} [${factors.shape.join(", ")}] (must be F32 [${config.rotaryDim / 2}], a divisor for each frequency)`);
  return { architecture, raw, config: { ...config, ropeScaling: divided(config.ropeScaling, await readFloats({ ...factors, dtype: "F32" } as StoredTensor), file) } };
}

/** Norms of queries and keys as the file has them, whether or not the architecture usually does. */
function headNorms(tensors: GgufHeader["tensors"], { heads, headDim }: ModelConfig): ModelConfig["qkNorm"] {
  const shape = tensors.get("blk.0.attn_q_norm.weight")?.shape;
  if (!shape) return null;
  return shape.length === 2 ? "each head" : shape[0] === heads * headDim && heads > 1 ? "all heads" : "head";
}

/** Each frequency divided by one of its own, and by what all are divided by. */
function divided(scaling: RopeScaling | null, factors: Float32Array, file: string): RopeScaling {
  if (scaling !== null && scaling.kind !== "linear") throw new Error(`${file}: rope.scaling.type: ${scaling.kind} beside rope_freqs.weight (supported: linear, none)`);
  const wrong = factors.findIndex((factor) => !(factor > 0 && Number.isFinite(factor)));
  if (wrong >= 0) throw new Error(`${file}: tensor rope_freqs.weight: ${factors[wrong]} for frequency ${wrong} (must be above 0)`);
  return { kind: "factors", factors: Array.from(factors, (factor) => factor * (scaling?.factor ?? 1)) };
}

/** End of the text, and of a turn where the file names one. */
function endTokens(metadata: Readonly<Record<string, unknown>>): number[] {
  const ids = ["eos", "eot"].map((name) => metadata[`tokenizer.ggml.${name}_token_id`]).filter((id): id is number => typeof id === "number");
  return [...new Set(ids)];
}
