import { parseConfig } from "../config.js";
import { readFloats } from "../safetensors.js";
import type { ModelConfig, RopeScaling, StoredTensor } from "../types.js";
import type { Architecture } from "./architecture.js";
import { architectures, isArchitecture, type ArchitectureName } from "./architectures.js";
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
  const [freqs, short, long] = await Promise.all(["rope_freqs", "rope_factors_short", "rope_factors_long"].map((name) => divisors(tensors, `${name}.weight`, file)));
  const shared = common(fields, { longrope: Boolean(short ?? long) });
  const raw = {
    ...shared,
    ...((short ?? long) && { rope_scaling: { ...(shared["rope_scaling"] as object), short_factor: short ?? long, long_factor: long ?? short } }),
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
  return { architecture, raw, config: freqs ? { ...config, ropeScaling: divided(config, freqs, file) } : config };
}

/** What a tensor divides rotary frequencies by; undefined where the file has none. */
async function divisors(tensors: GgufHeader["tensors"], name: string, file: string): Promise<number[] | undefined> {
  const tensor = tensors.get(name);
  if (!tensor) return undefined;
  if (tensor.type !== "F32" || tensor.shape.length !== 1) throw new Error(`${file}: tensor ${name}: ${tensor.type} [${tensor.shape.join(", ")}] (must be F32, a divisor for each frequency)`);
  const values = [...(await readFloats({ ...tensor, dtype: "F32" } as StoredTensor))];
  const wrong = values.findIndex((factor) => !(factor > 0 && Number.isFinite(factor)));
  if (wrong >= 0) throw new Error(`${file}: tensor ${name}: ${values[wrong]} for frequency ${wrong} (must be above 0)`);
  return values;
}

/** Norms of queries and keys as the file has them, whether or not the architecture usually does. */
function headNorms(tensors: GgufHeader["tensors"], { heads, headDim }: ModelConfig): ModelConfig["qkNorm"] {
  const shape = tensors.get("blk.0.attn_q_norm.weight")?.shape;
  if (!shape) return null;
  return shape.length === 2 ? "each head" : shape[0] === heads * headDim && heads > 1 ? "all heads" : "head";
}

/** Each frequency divided by one of its own, and by what all are divided by. */
function divided({ ropeScaling: scaling, rotaryDim }: ModelConfig, factors: readonly number[], file: string): RopeScaling {
  if (factors.length !== rotaryDim / 2) throw new Error(`${file}: tensor rope_freqs.weight: ${factors.length} divisors (must be ${rotaryDim / 2}, one for each frequency)`);
  if (scaling !== null && scaling.kind !== "linear") throw new Error(`${file}: rope.scaling.type: ${scaling.kind} beside rope_freqs.weight (supported: linear, none)`);
  return { kind: "factors", factors: factors.map((factor) => factor * (scaling?.factor ?? 1)) };
}

/** End of the text, and of a turn where the file names one. */
function endTokens(metadata: Readonly<Record<string, unknown>>): number[] {
  const ids = ["eos", "eot"].map((name) => metadata[`tokenizer.ggml.${name}_token_id`]).filter((id): id is number => typeof id === "number");
  return [...new Set(ids)];
}
