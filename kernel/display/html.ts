const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/** A cell of a table as text: numbers with at most six significant digits after the point, no more. */
export function cellText(value: unknown): string {
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
  if (value === null || value === undefined) return String(value);
  if (value instanceof Date) return value.toISOString();
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const isMissing = (value: unknown): boolean => value === null || value === undefined;

/** Columns of numbers stand at the right, with their heads and with what is missing in them. */
function alignments(columns: readonly string[], rows: readonly unknown[][]): string[] {
  const isNumber = (value: unknown) => typeof value === "number" || typeof value === "bigint";
  return columns.map((_, c) => (rows.some((row) => isNumber(row[c])) && rows.every((row) => isNumber(row[c]) || isMissing(row[c]) || row[c] === "…") ? ' style="text-align: right"' : ' style="text-align: left"'));
}

/** An HTML table. `index` stands in front of the rows; `caption` below. */
export function htmlTable(columns: string[], rows: unknown[][], index?: unknown[], caption?: string): string {
  const corner = index ? "<th></th>" : "";
  const sides = alignments(columns, rows);
  const head = columns.map((column, c) => `<th${sides[c]}>${escapeHtml(column)}</th>`).join("");
  const body = rows.map((row, i) => {
    const label = index ? `<th>${escapeHtml(cellText(index[i]))}</th>` : "";
    return `<tr>${label}${row.map((value, c) => `<td${sides[c]}>${isMissing(value) ? "–" : escapeHtml(cellText(value))}</td>`).join("")}</tr>`;
  });
  const note = caption ? `<p>${escapeHtml(caption)}</p>` : "";
  return `<table class="dataframe" border="1"><thead><tr>${corner}${head}</tr></thead><tbody>${body.join("")}</tbody></table>${note}`;
}

/** The same table for a terminal, columns aligned. */
export function textTable(columns: string[], rows: unknown[][], index?: unknown[], caption?: string): string {
  const header = index ? ["", ...columns] : columns;
  const body = rows.map((row, i) => [...(index ? [index[i]] : []), ...row]);
  const widths = header.map((name, c) => Math.max(name.length, ...body.map((row) => cellText(row[c]).length)));
  const line = (cells: string[], values?: unknown[]) =>
    cells
      .map((cell, c) => (typeof values?.[c] === "number" || !values ? cell.padStart(widths[c] ?? 0) : cell.padEnd(widths[c] ?? 0)))
      .join("  ")
      .trimEnd();
  return [line(header), ...body.map((row) => line(row.map(cellText), row)), ...(caption ? [caption] : [])].join("\n");
}
