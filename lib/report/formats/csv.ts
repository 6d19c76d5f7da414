import { records, type Table, type Value } from "../table.js";

/** CSV as in RFC 4180, line ends as on Unix: a header of keys, full precision, empty where there is no value. */
export function toCsv<Row>(table: Table<Row>): string {
  const rows = records(table);
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const line = (values: readonly (Value | undefined)[]) => values.map(field).join(",");
  return [line(keys), ...rows.map((row) => line(keys.map((key) => row[key])))].map((text) => `${text}\n`).join("");
}

function field(value: Value | undefined): string {
  const text = value === null || value === undefined ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
