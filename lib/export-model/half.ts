/** The largest number of half precision. */
const LARGEST_HALF = 65504;

/** @throws on a number that half precision has no room for: it would become infinite */
export function requireHalf(name: string, values: Float32Array): void {
  const at = values.findIndex((value) => Math.abs(value) > LARGEST_HALF && Number.isFinite(value));
  if (at >= 0) throw new Error(`tensor ${name}: ${values[at]} (fp16 ends at ${LARGEST_HALF}: take fp32 or bf16)`);
}
