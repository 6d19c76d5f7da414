import type { Tokenizer } from "../checkpoint/tokenizer.js";
import type { SaliencyFile } from "./saliency-file.js";
import { normaliseSaliency } from "./saliency-normalise.js";

/** Saliency of one example as a picture: a row a block, a column a token (figure 1 of arXiv:2504.04514). */
export interface SaliencyMap {
  readonly blocks: readonly number[];
  /** Text of each token, where there is a tokenizer. */
  readonly tokens: readonly string[];
  readonly promptLength: number;
  /** `[blocks][n]`, as measured. */
  readonly values: readonly Float32Array[];
  /** `[blocks][n]`, see `normaliseSaliency`. */
  readonly normalised: readonly Float32Array[];
}

export async function saliencyMap(file: SaliencyFile, index: number, tokenizer: Tokenizer | null = null): Promise<SaliencyMap> {
  const { ids, promptLength } = file.example(index);
  const values = await file.values(index);
  return {
    blocks: file.settings.blocks,
    tokens: ids.map((id) => tokenizer?.decode([id]) ?? String(id)),
    promptLength,
    values,
    normalised: values.map((row) => normaliseSaliency(row, promptLength, file.settings.target)),
  };
}

/** How few tokens carry the saliency after a block (figure 2 of arXiv:2504.04514). */
export interface Sparsity {
  readonly block: number;
  /** Mean over examples of the share of prompt tokens whose magnitude is below `threshold` times the example's largest. */
  readonly share: number;
}

/** @param threshold default 0.01: a token a hundred times less salient than the most salient one */
export async function saliencySparsity(file: SaliencyFile, threshold = 0.01): Promise<Sparsity[]> {
  if (!(threshold > 0 && threshold < 1)) throw new Error(`sparsity threshold: ${threshold} (must be between 0 and 1)`);
  const { blocks } = file.settings;
  const sums = blocks.map(() => 0);
  for (let index = 0; index < file.length; index++) {
    const { promptLength } = file.example(index);
    (await file.values(index)).forEach((row, b) => {
      const magnitudes = row.subarray(0, promptLength).map(Math.abs);
      const limit = threshold * magnitudes.reduce((a, x) => Math.max(a, x), 0);
      sums[b]! += magnitudes.filter((x) => x < limit).length / promptLength;
    });
  }
  return blocks.map((block, b) => ({ block, share: sums[b]! / file.length }));
}
