import type { Family } from "../types.js";
import { bloom } from "./bloom.js";
import { cohere } from "./cohere.js";
import { exaone4 } from "./exaone4.js";
import { readsImages, type FamilyDefinition } from "./family.js";
import { gemma } from "./gemma.js";
import { glm } from "./glm.js";
import { gptNeox } from "./gpt-neox.js";
import { gpt2 } from "./gpt2.js";
import { gptOss } from "./gpt-oss.js";
import { granite } from "./granite.js";
import { llama } from "./llama.js";
import { moe } from "./moe.js";
import { olmo } from "./olmo.js";
import { phi3 } from "./phi3.js";
import { smollm3 } from "./smollm3.js";
import { stablelm } from "./stablelm.js";
import { starcoder2 } from "./starcoder2.js";

/** Families whose models are the text models of others, which read images as well. */
const inside: FamilyDefinition = { ...llama, buffers: readsImages };

/** Families the decoder can build, as `model_type` spells them. */
export const definitions: Readonly<Record<Family, FamilyDefinition>> = {
  llama, mistral: inside, ministral: inside, qwen2: inside, qwen3: inside, phi3, gemma, gemma2: gemma, gemma3_text: gemma, smollm3, olmo2: olmo, olmo3: olmo,
  granite, mixtral: moe, qwen2_moe: moe, qwen3_moe: moe, gpt_oss: gptOss, exaone4, cohere, cohere2: cohere, starcoder2, stablelm, glm, glm4: glm, gpt_neox: gptNeox, gpt2, bloom,
};
