import { records, type Table } from "../table.js";

/** One JSON object a row and line. */
export function toJsonLines<Row>(table: Table<Row>): string {
  return records(table).map((row) => `${JSON.stringify(row)}\n`).join("");
}
