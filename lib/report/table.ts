/** A value that a table shows, or a program reads. */
export type Value = string | number | boolean | null;

/** A column: `key` names it for programs, `label` for readers. */
export interface Column<Row> {
  readonly key: string;
  readonly label: string;
  /** The value itself: seconds, a ratio, a share; null where there is none. */
  readonly value: (row: Row) => Value;
  /** How it is written; "-" stands for null. */
  readonly format?: (value: number) => string;
  /** Whether a row's value is within noise, so that it is shown with a mark that `notes` explain. */
  readonly marked?: (row: Row) => boolean;
  /** Cells are padded to this width in markdown. */
  readonly width?: number;
  /** Dashes under the label in markdown; two more than the label has characters unless told. */
  readonly rule?: number;
}

/**
 * A table as a value, from which every output format is made. Rows hold what was measured and columns say what of it
 * is shown, so that formats for programs lose no digits to formats for readers.
 */
export interface Table<Row = unknown> {
  readonly title: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  /** What holds for the whole table: model, device, … Shown above it. */
  readonly above: readonly string[];
  /** What a reader must know to trust it. Shown below it. */
  readonly warnings: readonly string[];
  /** What marks in it mean. Shown below it, first. */
  readonly notes?: readonly string[];
  /** What formats for programs add to each row, by key: the facts that `above` puts into words. */
  readonly facts: (row: Row) => Readonly<Record<string, Value>>;
}

/** Stands behind a value that is marked. */
export const MARK = "*";

/** One row as text, a string a column. @param mark stands behind marked values */
export function texts<Row>(table: Table<Row>, row: Row, mark = MARK): string[] {
  return table.columns.map(({ value, format, marked }) => {
    const found = value(row);
    if (found === null) return "-";
    return (typeof found === "number" && format ? format(found) : String(found)) + (marked?.(row) ? mark : "");
  });
}

/** Columns whose values are numbers, which stand at the right, their heads too. */
export const isNumeric = <Row>({ rows }: Table<Row>, { value }: Column<Row>): boolean => !rows.some((row) => typeof value(row) === "string");

/** A cell under a head that says the unit already. */
export const withoutUnit = (text: string, label: string): string => (label.endsWith("(%)") ? text.replace(/\s*%(?=\*?$)/, "") : text);

/** Rows as plain objects, a key a column and a fact: for CSV, JSON and data frames. */
export function records<Row>(table: Table<Row>): Record<string, Value>[] {
  return table.rows.map((row) => ({ ...Object.fromEntries(table.columns.map(({ key, value }) => [key, value(row)])), ...table.facts(row) }));
}
