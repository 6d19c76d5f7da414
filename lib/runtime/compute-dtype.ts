/**
 * What is computed in, of weights held in `dtype`: 16-bit ones are widened to fp32 when they are loaded; int8 and int4 ones are
 * multiplied with activations that are rounded to int8 (`accuracy` float32: are not), all else is fp32.
 */
export function computeDtype(dtype: string, accuracy: "int8" | "float32" = "int8"): string {
  return /^int[48]/.test(dtype) && accuracy === "int8" ? "fp32 with int8 products" : "fp32";
}
