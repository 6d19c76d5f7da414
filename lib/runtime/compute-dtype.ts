import type { KvDtype } from "../checkpoint/kv-dtype.js";
import type { Accuracy } from "../decoder/checkpoint-weights.js";

/**
 * What is computed in, of weights held in `dtype`: 16-bit ones are widened to fp32 when they are loaded; those in blocks (int8, int4, GGUF's types) are
 * multiplied with activations that are rounded to int8 (`accuracy` float32: are not), all else is fp32; with `accuracy` float16
 * activations, weights and caches are 16-bit numbers, sums float32, with `bfloat16` the provider rounds most numbers to such.
 */
export function computeDtype(dtype: string, accuracy: Accuracy = "int8"): string {
  if (accuracy === "float16") return "fp16";
  if (accuracy === "bfloat16") return "bf16";
  return /^(int[48]|compact|i?q\d|mxfp4)/.test(dtype) && accuracy === "int8" ? "fp32 with int8 products" : "fp32";
}

/** What graphs grow caches in, and take them in without a conversion: what they compute in. */
export const kvDtypeOf = (accuracy: Accuracy): KvDtype => (accuracy === "float16" ? "fp16" : "fp32");

/** What may be wrong where numbers are not finite although the weights are; undefined: nothing in particular. */
export function overflowAdvice(accuracy: Accuracy): string | undefined {
  return accuracy === "float16" ? "accuracy: float16: this model's activations go beyond what 16-bit numbers hold; load it with accuracy: \"float32\"" : undefined;
}
