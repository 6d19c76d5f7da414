import type { DataFrame } from "danfojs-node";
import { danfo } from "./danfo.js";

type Value = string | number | boolean | null;

/**
 * Rows as a danfojs DataFrame: rows of a sweep, of a table or an evaluation, or plain objects of your own. Nested objects
 * become columns of their own (`metrics.exact`), lists and what has samples are left out.
 * @example
 * const df = sdtp.frame(rows);
 * df.query(df.column("length").eq(4096)).groupby(["config"]).col(["prefill_speedup"]).max()
 */
export function frame(rows: readonly object[] | { readonly rows: readonly object[] }): DataFrame {
  const list = "rows" in rows ? rows.rows : rows;
  if (!Array.isArray(list) || list.length === 0) throw new Error("frame: no rows (must be an array of objects, not empty)");
  const flattened = list.map((row) => flatten(row as object));
  const columns = [...new Set(flattened.flatMap((row) => Object.keys(row)))];
  // Loaded when first used: it takes more than a second.
  const { DataFrame } = danfo();
  return new DataFrame(flattened.map((row) => columns.map((column) => row[column] ?? null)), { columns });
}

/** Samples and metadata of a sweep's row, which no table has room for. */
const LEFT_OUT = new Set(["entry", "metadata"]);

/** A row whose nested objects have become columns of their own; lists and what has samples are left out. */
export function flatten(row: object, prefix = ""): Record<string, Value> {
  const flat: Record<string, Value> = {};
  for (const [key, value] of Object.entries(row)) {
    if (prefix === "" && LEFT_OUT.has(key)) continue;
    if (value === null || ["string", "number", "boolean"].includes(typeof value)) flat[prefix + key] = value as Value;
    else if (key === "warnings" && Array.isArray(value)) flat[prefix + key] = value.join("; ") || null;
    else if (typeof value === "object" && !Array.isArray(value) && !ArrayBuffer.isView(value)) Object.assign(flat, flatten(value as object, `${prefix}${key}.`));
  }
  return flat;
}
