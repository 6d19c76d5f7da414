import type { Fields } from "../fields.js";
import type { ModelConfig } from "../types.js";

/** transformers' names for the activations that the decoder has. */
const activations: Readonly<Record<string, ModelConfig["activation"]>> = {
  silu: "silu", swish: "silu", gelu: "gelu", gelu_pytorch_tanh: "gelu_tanh", gelu_new: "gelu_tanh",
};

export interface ActivationOptions {
  readonly field?: string;
  readonly fallback?: string;
}

/** The MLP's activation. @throws on one that the decoder does not have */
export function activationOf(fields: Fields, { field = "hidden_act", fallback = "silu" }: ActivationOptions = {}): ModelConfig["activation"] {
  return activations[fields.choice(field, Object.keys(activations), fallback)]!;
}
