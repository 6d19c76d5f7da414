import { ambientSignal } from "../ambient-signal.js";
import type { Model } from "../runtime/model.js";
import { bitsPerByte, type BitsPerByte } from "./bits-per-byte.js";
import { askPassKey } from "./pass-key.js";

export interface QualityOptions {
  /** Prose the model has not been trained on. */
  readonly text: string;
  /** Prompt lengths for retrieval, in tokens. */
  readonly lengths: readonly number[];
  /** Prompts of each length. */
  readonly prompts: number;
  readonly seed: number;
  readonly onProgress?: (share: number, label: string) => void;
  readonly signal?: AbortSignal;
}

export interface Retrieval {
  readonly length: number;
  readonly prompts: number;
  /** Keys of which every digit was right, generated greedily. */
  readonly right: number;
  readonly accuracy: number;
}

export interface Quality {
  readonly prose: BitsPerByte;
  readonly retrieval: readonly Retrieval[];
}

/** What a model can do without pruning: how well it predicts prose, and whether it finds pass keys hidden in it. */
export async function quality(model: Model, { text, lengths, prompts, seed, onProgress, signal = ambientSignal() }: QualityOptions): Promise<Quality> {
  const parts = lengths.length + 1;
  const prose = await bitsPerByte(model, text, 1024, (share) => {
    signal?.throwIfAborted();
    onProgress?.(share / parts, "prose");
  });
  const tokenizer = await model.tokenizer();
  const ids = tokenizer.encode(text, { addSpecialTokens: false });
  const retrieval: Retrieval[] = [];
  for (const [index, length] of lengths.entries()) {
    let right = 0;
    for (let i = 0; i < prompts; i++) {
      if ((await askPassKey(model, tokenizer, ids, { length, seed, index: i, signal })).right) right++;
      onProgress?.((index + 1 + (i + 1) / prompts) / parts, `retrieval at ${length}`);
    }
    retrieval.push({ length, prompts, right, accuracy: right / prompts });
  }
  return { prose, retrieval };
}
