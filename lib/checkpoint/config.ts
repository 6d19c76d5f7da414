import { join } from "node:path";
import { existsSync } from "node:fs";
import { Fields } from "./fields.js";
import { readJsonObject } from "./json.js";
import { parseRope } from "./rope.js";
import { parseSlidingWindow } from "./sliding-window.js";
import type { Family, ModelConfig } from "./types.js";

/** Families the decoder can build, as `model_type` spells them. */
export const families: readonly Family[] = ["llama", "mistral", "qwen2", "qwen3"];

/**
 * Reads config.json of a model folder, and the end-of-sequence ids of generation_config.json where that exists.
 * @throws an error that names file, field, value and what is supported
 */
export async function readConfig(folder: string): Promise<ModelConfig> {
  const file = join(folder, "config.json");
  const generationFile = join(folder, "generation_config.json");
  const generation = existsSync(generationFile) ? await readJsonObject(generationFile) : undefined;
  return parseConfig(await readJsonObject(file), file, generation && new Fields(generation, generationFile));
}

/**
 * A Hugging Face config.json -> the decoder's shape.
 * @param file named in errors
 * @param generation fields of generation_config.json; its `eos_token_id` goes before the config's own
 * @throws an error that names file, field, value and what is supported
 */
export function parseConfig(raw: Readonly<Record<string, unknown>>, file: string, generation?: Fields): ModelConfig {
  const fields = new Fields(raw, file);
  const family = fields.choice("model_type", families);
  if (fields.has("quantization_config")) {
    throw new Error(`${file}: quantization_config: present (supported: unquantised F32, F16 or BF16 weights)`);
  }
  fields.choice("hidden_act", ["silu"], "silu");

  const hiddenSize = fields.integer("hidden_size");
  const layers = fields.integer("num_hidden_layers");
  const vocabSize = fields.integer("vocab_size");
  const { theta, scaling } = parseRope(fields);
  const attentionBias = (family === "llama" || family === "qwen3") && fields.boolean("attention_bias", false);
  return {
    family,
    hiddenSize,
    layers,
    ...parseHeads(fields, family, hiddenSize),
    ffnSize: fields.integer("intermediate_size"),
    vocabSize,
    maxPositions: maxPositions(fields, scaling?.kind === "linear" ? scaling.factor : 1),
    ropeTheta: theta,
    ropeScaling: scaling,
    normEps: fields.positive("rms_norm_eps"),
    tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
    slidingWindow: parseSlidingWindow(fields, family, layers),
    qkvBias: family === "qwen2" || attentionBias,
    outputBias: attentionBias,
    mlpBias: family === "llama" && fields.boolean("mlp_bias", false),
    qkNorm: family === "qwen3",
    bosTokenId: tokenIds(fields.has("bos_token_id") ? fields : (generation ?? fields), "bos_token_id", vocabSize)[0] ?? null,
    eosTokenIds: tokenIds(generation?.has("eos_token_id") ? generation : fields, "eos_token_id", vocabSize),
  };
}

function parseHeads(fields: Fields, family: Family, hiddenSize: number) {
  const heads = fields.integer("num_attention_heads");
  // Models made before grouped-query attention do not have the field; only llama goes back that far.
  const kvHeads = fields.integer("num_key_value_heads", 1, family === "llama" ? heads : undefined);
  if (heads % kvHeads !== 0) throw fields.error("num_key_value_heads", `must divide num_attention_heads, ${heads}`);
  if (!fields.has("head_dim")) {
    if (family === "qwen3") throw fields.error("head_dim", "must be an even integer >= 2");
    if (hiddenSize % heads !== 0) throw fields.error("hidden_size", `must be a multiple of num_attention_heads, ${heads}, or head_dim be given`);
  }
  const headDim = fields.integer("head_dim", 1, hiddenSize / heads);
  if (headDim % 2 !== 0) {
    const [field, right] = fields.has("head_dim")
      ? ["head_dim", "must be even: rotary positions turn pairs"]
      : ["hidden_size", `head_dim hidden_size / num_attention_heads = ${headDim} must be even: rotary positions turn pairs`];
    throw fields.error(field!, right!);
  }
  return { heads, kvHeads, headDim };
}

/**
 * `linear` scaling stretches the positions the model was first made for, which is what such configs state
 * (vLLM reads them the same way); with `llama3` max_position_embeddings already is the stretched length.
 */
function maxPositions(fields: Fields, factor: number): number {
  return Math.floor(fields.integer("max_position_embeddings") * factor);
}

/** A token id or a list of them; empty where the field is absent. */
function tokenIds(fields: Fields, field: string, vocabSize: number): number[] {
  const value = fields.raw(field);
  if (value === undefined) return [];
  const ids: unknown[] = Array.isArray(value) ? value : [value];
  for (const id of ids) {
    if (!Number.isSafeInteger(id) || (id as number) < 0 || (id as number) >= vocabSize) {
      throw fields.error(field, `must be token ids in 0..${vocabSize - 1}`);
    }
  }
  return ids as number[];
}
