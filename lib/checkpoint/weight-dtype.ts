import type { Bits } from "./quantize.js";

/** What weights may be held in. `fp16` is computed in float32 on the CPU; `int8` and `int4` are blocks of 32 with a scale each; `int8` is held by output channel as well, for prompts. */
export const weightDtypes = ["fp32", "fp16", "int8", "int4"] as const;
export type WeightDtype = (typeof weightDtypes)[number];

/** How weights come to 4 bits: so that products with the model's own inputs change least (`gptq`), or each to its nearest level. */
export type Rounding = "gptq" | "nearest";

/** How the weights of a model are held. */
export interface WeightFormat {
  /** Of the projections within the blocks. */
  readonly dtype: WeightDtype;
  /** int8, int4: levels around zero; else each block has a zero point of its own. */
  readonly symmetric: boolean;
  /** Of the projections; `gptq` of int4 alone. */
  readonly rounding: Rounding;
  /** Of the token embedding and of the head, which may be one tensor. */
  readonly embedding: WeightDtype;
  readonly head: WeightDtype;
}

export const bitsOf = (dtype: WeightDtype): Bits | null => (dtype === "int4" ? 4 : dtype === "int8" ? 8 : null);

/**
 * Reads `int4`, `int4:nearest`, `int4:symmetric`, `int4:head=fp16:embedding=int8` and the like. Unless given, levels are symmetric in int8 and
 * asymmetric in int4, embedding and head are int8 in both, and int4 is rounded by inputs.
 * @throws on anything else, with what is known
 */
export function parseWeightFormat(text: string): WeightFormat {
  const [name, ...parts] = text.split(":");
  const dtype = known(name!, text);
  const quantised = bitsOf(dtype) !== null;
  const format = { dtype, symmetric: dtype !== "int4", rounding: dtype === "int4" ? "gptq" as Rounding : "nearest" as Rounding, embedding: quantised ? "int8" as WeightDtype : dtype, head: quantised ? "int8" as WeightDtype : dtype };
  for (const part of parts) {
    const [key, value] = part.split("=");
    if ((key === "symmetric" || key === "asymmetric") && value === undefined && quantised) format.symmetric = key === "symmetric";
    else if (key === "nearest" && value === undefined && dtype === "int4") format.rounding = key;
    else if ((key === "embedding" || key === "head") && value !== undefined) format[key] = known(value, text);
    else throw new Error(`dtype: ${text} (after int8 or int4 may come :symmetric or :asymmetric, after int4 :nearest, after any :embedding=DTYPE and :head=DTYPE)`);
  }
  return format;
}

/** The shortest text that reads as this format. */
export function formatName(format: WeightFormat): string {
  const usual = parseWeightFormat(format.dtype);
  return [
    format.dtype,
    ...(format.rounding === usual.rounding ? [] : [format.rounding]),
    ...(format.symmetric === usual.symmetric ? [] : [format.symmetric ? "symmetric" : "asymmetric"]),
    ...(["embedding", "head"] as const).filter((key) => format[key] !== usual[key]).map((key) => `${key}=${format[key]}`),
  ].join(":");
}

function known(name: string, text: string): WeightDtype {
  const dtype = weightDtypes.find((each) => each === name);
  if (!dtype) throw new Error(`dtype: ${text} (must be ${weightDtypes.join(", ")})`);
  return dtype;
}
