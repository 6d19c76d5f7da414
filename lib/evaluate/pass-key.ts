import type { Tokenizer } from "../checkpoint/tokenizer.js";
import { generate, type Generation } from "../runtime/generate.js";
import type { Model } from "../runtime/model.js";
import { retrievalPrompt } from "../train/episodes.js";

export interface PassKeyOptions {
  /** Tokens of the prompt. */
  readonly length: number;
  readonly seed: number;
  /** Which of the prompts of this length and seed. */
  readonly index: number;
  readonly signal?: AbortSignal | undefined;
}

/** Asks for a pass key hidden in prose. @returns what was said, and whether every digit is right, generated greedily */
export async function askPassKey(model: Model, tokenizer: Tokenizer, prose: readonly number[], { length, seed, index, signal }: PassKeyOptions): Promise<{ said: Generation; right: boolean }> {
  const { ids, answer } = retrievalPrompt(tokenizer, prose, length, seed, length, index);
  const said = await generate(model, ids, { maxNewTokens: answer.length, fixedLength: true, ...(signal && { signal }) });
  return { said, right: said.ids.join() === answer.join() };
}
