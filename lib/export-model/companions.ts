import { existsSync } from "node:fs";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readJsonObject } from "../checkpoint/json.js";
import type { Checkpoint, ModelConfig, RopeScaling } from "../checkpoint/types.js";

/** Files of a model folder that go along as they are. */
const copied = ["tokenizer.json", "special_tokens_map.json", "chat_template.jinja", "chat_template.json", "added_tokens.json"];

/**
 * Writes what a model folder holds beside its weights: configuration, tokenizer, chat template.
 * @param changes fields of config.json that are set, or with undefined taken out
 * @returns what is missing
 */
export async function writeCompanions(checkpoint: Checkpoint, folder: string, changes: Readonly<Record<string, unknown>>): Promise<string[]> {
  const source = checkpoint.folder;
  const json = (name: string, content: object) => writeFile(join(folder, name), `${JSON.stringify(content, null, 2)}\n`);
  const own = join(source, "config.json");
  const config = existsSync(own) ? await readJsonObject(own) : configJson(checkpoint.config);
  await json("config.json", { ...config, quantization_config: undefined, ...changes });
  for (const name of copied) if (existsSync(join(source, name))) await copyFile(join(source, name), join(folder, name));
  const { bosTokenId, eosTokenIds, maxPositions } = checkpoint.config;
  const generation = join(source, "generation_config.json");
  await (existsSync(generation) ? copyFile(generation, join(folder, "generation_config.json")) : json("generation_config.json", {
    ...(bosTokenId !== null && { bos_token_id: bosTokenId }),
    ...(eosTokenIds.length > 0 && { eos_token_id: eosTokenIds.length === 1 ? eosTokenIds[0] : eosTokenIds }),
  }));
  if (!existsSync(join(source, "tokenizer.json"))) return ["no tokenizer.json to copy: prompts can be given as token ids only"];
  const settings = join(source, "tokenizer_config.json");
  if (existsSync(settings)) {
    await writeFile(join(folder, "tokenizer_config.json"), await readFile(settings));
    return [];
  }
  const tokenizer = await checkpoint.tokenizer();
  await json("tokenizer_config.json", {
    tokenizer_class: "PreTrainedTokenizerFast",
    clean_up_tokenization_spaces: false,
    model_max_length: maxPositions,
    ...(bosTokenId !== null && { bos_token: tokenizer.token(bosTokenId) }),
    ...(eosTokenIds.length > 0 && { eos_token: tokenizer.token(eosTokenIds[0]!) }),
  });
  return [];
}

/** config.json of a model that came without one (a GGUF file). */
export function configJson(config: ModelConfig): Record<string, unknown> {
  const { family } = config;
  if (!["llama", "mistral", "qwen2", "qwen3"].includes(family)) throw new Error(`export: a ${family} model without config.json (supported: llama, mistral, qwen2, qwen3)`);
  return {
    architectures: [`${family[0]!.toUpperCase()}${family.slice(1)}ForCausalLM`],
    model_type: family,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headDim,
    intermediate_size: config.ffnSize,
    vocab_size: config.vocabSize,
    max_position_embeddings: config.maxPositions,
    rope_theta: config.ropeTheta,
    rope_scaling: ropeJson(config.ropeScaling),
    rms_norm_eps: config.normEps,
    hidden_act: config.activation,
    tie_word_embeddings: config.tiedEmbeddings,
    ...(family === "llama" && { attention_bias: config.qkvBias, mlp_bias: config.mlpBias }),
    ...windowJson(config),
    bos_token_id: config.bosTokenId,
    eos_token_id: config.eosTokenIds.length === 1 ? config.eosTokenIds[0] : config.eosTokenIds,
  };
}

function windowJson({ family, layers, slidingWindow, fullLayers }: ModelConfig): Record<string, unknown> {
  if (slidingWindow === null) return family === "mistral" ? { sliding_window: null } : {};
  return {
    sliding_window: slidingWindow,
    ...(family.startsWith("qwen") && { use_sliding_window: true, max_window_layers: 0 }),
    ...(fullLayers.length > 0 && { layer_types: Array.from({ length: layers }, (_, layer) => (fullLayers.includes(layer) ? "full_attention" : "sliding_attention")) }),
  };
}

function ropeJson(scaling: RopeScaling | null): unknown {
  if (scaling === null) return null;
  if (scaling.kind === "linear") return { rope_type: "linear", factor: scaling.factor };
  if (scaling.kind === "llama3") {
    const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = scaling;
    return { rope_type: "llama3", factor, low_freq_factor: lowFreqFactor, high_freq_factor: highFreqFactor, original_max_position_embeddings: originalMaxPositions };
  }
  if (scaling.kind === "yarn") {
    const { factor, betaFast, betaSlow, truncate, originalMaxPositions, attentionFactor } = scaling;
    return { rope_type: "yarn", factor, beta_fast: betaFast, beta_slow: betaSlow, truncate, original_max_position_embeddings: originalMaxPositions, attention_factor: attentionFactor };
  }
  if (scaling.kind !== "factors") throw new Error(`export: rope type ${scaling.kind} of a model without config.json (supported: linear, llama3, yarn)`);
  throw new Error("export: rotary factors of a GGUF file (config.json has no name for them: take the model's own folder)");
}
