import { htmlTable, textTable } from "./html.js";
import type { Formatted } from "./format.js";

/** Most rows and columns that a table shows. */
const ROWS = 60;
const COLUMNS = 30;
/** Rows at either end of a longer table. */
const EDGE = 10;

/**
 * What danfojs's DataFrame and Series have in common. Its own printing dumps internals. These fields and
 * not their getters: a column called `values` or `index` takes the getter's place.
 */
interface Frame {
  $isSeries: boolean;
  $data: unknown[];
  $index: unknown[];
  $columns: string[];
}

/** danfojs DataFrame and Series: as a table, long ones by their first and last rows. */
export function frames(value: unknown): Formatted | undefined {
  if (!isFrame(value)) return undefined;
  const { $isSeries: isSeries, $data: values, $index: labels, $columns: names } = value;
  const { length } = values;
  const picked = length <= ROWS ? range(0, length) : [...range(0, EDGE), -1, ...range(length - EDGE, length)];
  const columns = names.slice(0, COLUMNS).map(String);
  const hidden = names.length - columns.length;
  if (hidden > 0) columns.push("…");
  const row = (at: number): unknown[] => {
    if (at < 0) return columns.map(() => "…");
    if (isSeries) return [values[at]];
    const cells = (values[at] as unknown[]).slice(0, COLUMNS);
    return hidden > 0 ? [...cells, "…"] : cells;
  };
  const rows = picked.map(row);
  const index = picked.map((at) => (at < 0 ? "…" : labels[at]));
  const caption = isSeries ? `${length} values` : `${length} rows × ${names.length} columns`;
  return {
    "text/html": htmlTable(columns, rows, index, caption),
    "text/plain": textTable(columns, rows, index, caption),
  };
}

function isFrame(value: unknown): value is Frame {
  if (typeof value !== "object" || value === null) return false;
  const name = value.constructor?.name;
  if (name !== "DataFrame" && name !== "Series") return false;
  const frame = value as Partial<Frame>;
  return Array.isArray(frame.$data) && Array.isArray(frame.$index) && Array.isArray(frame.$columns);
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i);
}
