import { join } from "node:path";
import { existsSync } from "node:fs";
import { definitions } from "./families/index.js";
import { Fields } from "./fields.js";
import { readJsonObject } from "./json.js";
import type { Family, ModelConfig } from "./types.js";

/** Families the decoder can build, as `model_type` spells them. */
export const families = Object.keys(definitions) as readonly Family[];

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
  const config = definitions[family].config(fields, family);
  return {
    family,
    ...config,
    bosTokenId: tokenIds(fields.has("bos_token_id") ? fields : (generation ?? fields), "bos_token_id", config.vocabSize)[0] ?? null,
    eosTokenIds: tokenIds(generation?.has("eos_token_id") ? generation : fields, "eos_token_id", config.vocabSize),
  };
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
