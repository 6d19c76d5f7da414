import type { Family } from "../types.js";
import { bloom } from "./bloom.js";
import type { FamilyDefinition } from "./family.js";
import { gemma } from "./gemma.js";
import { gpt2 } from "./gpt2.js";
import { llama } from "./llama.js";
import { phi3 } from "./phi3.js";

/** Families the decoder can build, as `model_type` spells them. */
export const definitions: Readonly<Record<Family, FamilyDefinition>> = {
  llama, mistral: llama, qwen2: llama, qwen3: llama, phi3, gemma, gemma2: gemma, gpt2, bloom,
};
