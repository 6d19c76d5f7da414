import type { ModelConfig } from "./types.js";

/** What keys and values in a cache may be held in; computed is in float32. */
export const kvDtypes = ["fp32", "fp16", "int8"] as const;
export type KvDtype = (typeof kvDtypes)[number];

/** Bytes that one layer holds for a token: its key and its value, of int8 with a float32 scale for each head of each. */
export function kvTokenBytes({ kvHeads, headDim }: Pick<ModelConfig, "kvHeads" | "headDim">, dtype: KvDtype): number {
  return 2 * kvHeads * { fp32: 4 * headDim, fp16: 2 * headDim, int8: headDim + 4 }[dtype];
}
