// Element types of GGUF files: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

/** Element types that can be read; ggml's numbers for them, elements and bytes of a block. */
export const ggmlTypes = {
  F32: { code: 0, block: 1, bytes: 4 },
  F16: { code: 1, block: 1, bytes: 2 },
  Q4_0: { code: 2, block: 32, bytes: 18 },
  Q4_1: { code: 3, block: 32, bytes: 20 },
  Q5_0: { code: 6, block: 32, bytes: 22 },
  Q5_1: { code: 7, block: 32, bytes: 24 },
  Q8_0: { code: 8, block: 32, bytes: 34 },
  Q2_K: { code: 10, block: 256, bytes: 84 },
  Q3_K: { code: 11, block: 256, bytes: 110 },
  Q4_K: { code: 12, block: 256, bytes: 144 },
  Q5_K: { code: 13, block: 256, bytes: 176 },
  Q6_K: { code: 14, block: 256, bytes: 210 },
  Q8_K: { code: 15, block: 256, bytes: 292 },
  IQ4_NL: { code: 20, block: 32, bytes: 18 },
  IQ4_XS: { code: 23, block: 256, bytes: 136 },
  BF16: { code: 30, block: 1, bytes: 2 },
  MXFP4: { code: 39, block: 32, bytes: 17 },
} as const;
export type GgmlType = keyof typeof ggmlTypes;

/** Types whose bytes are numbers as they are. */
export type PlainType = "F32" | "F16" | "BF16";
export type BlockType = Exclude<GgmlType, PlainType>;

export const isPlain = (type: GgmlType): type is PlainType => ggmlTypes[type].block === 1;

/** Names of types that occur and cannot be read, for errors. */
const others: Readonly<Record<number, string>> = {
  4: "Q4_2", 5: "Q4_3", 9: "Q8_1", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 21: "IQ3_S", 22: "IQ2_S", 24: "I8", 25: "I16", 26: "I32", 27: "I64",
  28: "F64", 29: "IQ1_M", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8", 34: "TQ1_0", 35: "TQ2_0", 40: "NVFP4", 41: "Q1_0",
};

/** By ggml's number; null where it cannot be read. */
export function ggmlType(code: number): GgmlType | null {
  return (Object.keys(ggmlTypes) as GgmlType[]).find((type) => ggmlTypes[type].code === code) ?? null;
}

/** What ggml calls a number that cannot be read. */
export const typeName = (code: number): string => others[code] ?? `number ${code}`;
