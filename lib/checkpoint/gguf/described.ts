import { parseConfig } from "../config.js";
import type { ModelConfig } from "../types.js";
import type { GgufConfig } from "./config.js";

/** Names of transformers' classes that do not follow from the family's. */
const classes: Readonly<Record<string, string>> = {
  gemma3_text: "Gemma3ForCausalLM", gpt2: "GPT2LMHeadModel", gpt_neox: "GPTNeoXForCausalLM", gpt_oss: "GptOssForCausalLM", qwen3_moe: "Qwen3MoeForCausalLM",
  smollm3: "SmolLM3ForCausalLM", stablelm: "StableLmForCausalLM", exaone4: "Exaone4ForCausalLM",
};

/**
 * config.json of the model in a GGUF file.
 * @throws where the file has something that the family's config.json has no field for: read back, the folder would be another model
 */
export function describedConfig({ raw, config }: GgufConfig, file: string): Readonly<Record<string, unknown>> {
  const described = {
    architectures: [classes[config.family] ?? `${config.family[0]!.toUpperCase()}${config.family.slice(1)}ForCausalLM`],
    ...raw,
    ...(config.ropeScaling?.kind === "factors" && { rope_scaling: ownFactors(config, config.ropeScaling.factors) }),
  };
  const back = parseConfig(described, `${file} (its metadata)`);
  for (const field of Object.keys(config) as (keyof ModelConfig)[]) {
    // The weights of norms are written as the family has them; frequencies by another name.
    if (field === "normOffset" || (field === "ropeScaling" && config.ropeScaling?.kind === "factors")) continue;
    if (JSON.stringify(back[field]) !== JSON.stringify(config[field])) {
      throw new Error(`${file}: ${field} ${JSON.stringify(config[field])} (a config.json of ${config.family} has no field for it, and would say ${JSON.stringify(back[field])})`);
    }
  }
  return described;
}

/** A divisor for each frequency, the same at every length. */
function ownFactors({ maxPositions }: ModelConfig, factors: readonly number[]): Record<string, unknown> {
  return { rope_type: "longrope", factor: 1, short_factor: factors, long_factor: factors, original_max_position_embeddings: maxPositions, attention_factor: 1 };
}
