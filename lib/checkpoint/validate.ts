import type { ModelConfig } from "./types.js";

/**
 * Checks a prompt before anything runs.
 * @param ids token ids of the prompt, `[n]`
 * @param newTokens tokens to be generated after it
 * @throws on length 0, an id that is not an integer of the vocabulary (which, where), or prompt + new tokens
 * beyond the model's positions
 */
export function checkPrompt(
  ids: ArrayLike<number>,
  newTokens: number,
  { vocabSize, maxPositions }: Pick<ModelConfig, "vocabSize" | "maxPositions">,
): void {
  if (ids.length === 0) throw new Error("prompt length: 0 (must be at least 1 token)");
  if (!Number.isSafeInteger(newTokens) || newTokens < 0) throw new Error(`new tokens: ${newTokens} (must be an integer >= 0)`);
  for (let position = 0; position < ids.length; position++) {
    const id = ids[position]!;
    if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
      throw new Error(`token id: ${id} at position ${position} (must be an integer in 0..${vocabSize - 1}, the model's vocabulary)`);
    }
  }
  if (ids.length + newTokens > maxPositions) {
    throw new Error(`prompt + new tokens: ${ids.length} + ${newTokens} = ${ids.length + newTokens} (the model has ${maxPositions} positions)`);
  }
}
