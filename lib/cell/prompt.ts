import type { PromptOptions } from "../bench/prompt.js";
import type { Model } from "../runtime/model.js";

/**
 * Token ids of a prompt of exactly `length` tokens, `[length]`: the shipped prose, which the embedded model was not trained on,
 * or a file's text. A model with synthetic weights gets random ids.
 * @throws where the text is too short, or cannot be read
 * @example
 * const ids = await sdtp.prompt(model, 1024);
 * const run = await model.prefill(ids, { preset: "keep07", scores: true });
 */
export async function prompt(model: Model, length: number, options: PromptOptions = {}): Promise<number[]> {
  const { prompt: make } = await import("../bench/prompt.js");
  return [...(await make(model.checkpoint, length, options)).ids];
}
