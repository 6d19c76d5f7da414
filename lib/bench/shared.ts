import type { Metadata } from "./record.js";

/** What results that are read against each other have in common. */
export type Shared = Pick<Metadata, "model" | "device" | "dtype" | "kv_dtype" | "model_hash">;

const fields = ["model", "device", "dtype", "kv_dtype", "model_hash"] as const;

/** The first field in which results do not belong together, in words: `metadata.dtype: int8 (must be fp16 as in FILE: …)`; null where they do. */
export function apart(found: Shared, expected: Shared, where: string): string | null {
  const value = (of: Shared, field: (typeof fields)[number]) => (field === "kv_dtype" ? (of.kv_dtype ?? "fp32") : of[field]);
  for (const field of fields) {
    const [is, must] = [value(found, field), value(expected, field)];
    if (is === must || is === undefined || must === undefined) continue;
    const why = field === "model_hash" ? "the weights or the configuration differ" : `one table shows one ${field.replace("kv_", "KV ")}`;
    return `metadata.${field}: ${is} (must be ${must} as in ${where}: ${why})`;
  }
  return null;
}
