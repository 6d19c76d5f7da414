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
  const { fields, family } = textModel(new Fields(raw, file));
  requireCounts(fields);
  const config = definitions[family].config(fields, family);
  return {
    family,
    ...config,
    bosTokenId: tokenIds(fields.has("bos_token_id") ? fields : (generation ?? fields), "bos_token_id", config.vocabSize)[0] ?? null,
    eosTokenIds: tokenIds(generation?.has("eos_token_id") ? generation : fields, "eos_token_id", config.vocabSize),
  };
}

/** Far more than any model has. Names and shapes of every tensor are made before the first one is missed in the files: a damaged or hostile number would fill memory with them. */
const [MOST_LAYERS, MOST_EXPERTS, MOST_MATRICES] = [10_000, 10_000, 500_000];

/** @throws on more layers, experts or both together than a model can have */
function requireCounts(fields: Fields): void {
  const count = (most: number, ...names: string[]) => names.reduce((largest, field) => {
    const value = fields.raw(field);
    if (typeof value === "number" && value > most) throw fields.error(field, `must be at most ${most}`);
    return typeof value === "number" ? Math.max(largest, value) : largest;
  }, 0);
  const [layers, experts] = [count(MOST_LAYERS, "num_hidden_layers", "n_layer"), count(MOST_EXPERTS, "num_experts", "num_local_experts")];
  count(MOST_LAYERS, "num_attention_heads", "n_head", "num_key_value_heads");
  if (layers * experts > MOST_MATRICES) throw fields.error(fields.has("num_experts") ? "num_experts" : "num_local_experts", `must be at most ${Math.floor(MOST_MATRICES / layers)} with ${layers} layers`);
}

/** Models that read more than text, and the family of the part that reads text, which their `text_config` describes: only that part is read here. */
const composites: Readonly<Record<string, Composite>> = {
  gemma3: { text: { gemma3_text: "gemma3_text" }, tied: true },
  mistral3: { text: { mistral: "mistral", ministral: "ministral" }, tied: true },
  // For text alone the three positions of their rotary embedding are one.
  qwen2_vl: { text: { qwen2_vl_text: "qwen2" }, tied: "where the text model says so", flat: true, defaults: { rope_theta: 1e6 } },
  qwen2_5_vl: { text: { qwen2_5_vl_text: "qwen2" }, tied: "where the text model says so", flat: true, defaults: { rope_theta: 1e6 } },
  qwen3_vl: { text: { qwen3_vl_text: "qwen3" }, tied: false, defaults: { rope_theta: 5e5 } },
};

/** Whether a `model_type` is that of a model which has a text model inside. */
export const isComposite = (type: unknown): boolean => typeof type === "string" && Object.hasOwn(composites, type);

interface Composite {
  /** The text model's `model_type`, and whose family's it is. */
  readonly text: Readonly<Record<string, Family>>;
  /** Embedding and head are one where the field for the whole is absent. */
  readonly tied: boolean | "where the text model says so";
  /** Older files have the text model's fields among those of the whole. */
  readonly flat?: boolean;
  /** Of the text model, where they are not those of its family. */
  readonly defaults?: Readonly<Record<string, unknown>>;
}

/** The fields of the text model, `text_config` where there is one, and its family. */
function textModel(fields: Fields): { fields: Fields; family: Family } {
  const type = fields.choice("model_type", [...families, ...Object.keys(composites)]);
  const composite = isComposite(type) ? composites[type] : undefined;
  if (!composite) return { fields, family: type as Family };
  const text = fields.object("text_config") ?? (composite.flat ? fields : undefined);
  if (!text) throw fields.error("text_config", "must be an object: the text model's configuration");
  const types = Object.keys(composite.text);
  const family = text === fields ? composite.text[types[0]!]! : composite.text[text.choice("model_type", types, types[0])]!;
  // Of these, what is said of the whole counts.
  const whole = ["quantization_config", "bos_token_id", "eos_token_id"].filter((field) => fields.has(field));
  const inside = typeof composite.tied === "string" && text.boolean("tie_word_embeddings", false);
  const tied = inside || fields.boolean("tie_word_embeddings", composite.tied === true);
  return { fields: text.withDefaults(composite.defaults ?? {}).overlaid(fields.only(whole)).with({ tie_word_embeddings: tied }), family };
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
