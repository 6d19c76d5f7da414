import { isComposite } from "../checkpoint/config.js";
import type { ModelConfig } from "../checkpoint/types.js";

type Json = Readonly<Record<string, unknown>>;

/**
 * The config.json that the weights are written for: of a model that reads images as well, that of its text model alone, as a model of its family.
 * @param raw the model's own
 */
export function textConfigJson(raw: Json, { family, ropeTheta, ropeScaling, tiedEmbeddings }: ModelConfig): Json {
  if (!isComposite(raw["model_type"])) return raw;
  const whole = Object.fromEntries(["bos_token_id", "eos_token_id", "torch_dtype", "dtype"].filter((field) => raw[field] !== undefined).map((field) => [field, raw[field]]));
  const text: Json = { ...((raw["text_config"] as Json | undefined) ?? raw), ...whole, text_config: undefined, vision_config: undefined };
  const scaling = (text["rope_parameters"] ?? text["rope_scaling"]) as Json | null | undefined;
  // Three positions for each token: for text they are one, and the family itself knows one.
  const plain = scaling && "mrope_section" in scaling && ropeScaling === null && { rope_theta: ropeTheta, rope_scaling: undefined, rope_parameters: undefined };
  return { ...text, ...plain, tie_word_embeddings: tiedEmbeddings, model_type: family, architectures: [classes[family] ?? `${family[0]!.toUpperCase()}${family.slice(1)}ForCausalLM`] };
}

/** transformers' classes, where they are not called as the family. */
const classes: Readonly<Partial<Record<ModelConfig["family"], string>>> = { gemma3_text: "Gemma3ForCausalLM" };
