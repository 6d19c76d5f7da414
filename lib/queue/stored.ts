import { z } from "zod";
import type { StoredCell } from "../bench/sweep/store.js";

const nullable = z.number().nullable();
const row = z.looseObject({
  model: z.string(), config: z.string(), device: z.string(), dtype: z.string(), threads: z.number().int(), length: z.number().int(), cell: z.string(),
  prefill_seconds: nullable, decode_seconds: nullable, total_seconds: nullable, machine: z.string(), placement: z.string(), error: z.string().nullable(), warnings: z.array(z.string()),
  entry: z.looseObject({}).nullable(), metadata: z.looseObject({}).nullable(),
});
const schema = z.looseObject({ schema_version: z.literal(1), label: z.string(), seconds: z.number().nonnegative(), cost: z.number().nonnegative(), rows: z.array(row) });

/** A measured cell as a worker gave it; undefined where it is none, or has not as many rows as were asked for. */
export function storedCell(value: unknown, rows: number): StoredCell | undefined {
  const parsed = schema.safeParse(value);
  return parsed.success && parsed.data.rows.length === rows ? (parsed.data as unknown as StoredCell) : undefined;
}
