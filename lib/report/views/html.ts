import { escapeHtml } from "../../escape-html.js";

/** Borders in a grey that shows on light and on dark; colours are the page's own. */
const tableStyle =
  "<style>.sdtp-table{border-collapse:collapse;font-size:13px;margin:.5em 0}.sdtp-table td,.sdtp-table th{padding:2px 10px;text-align:right;border:0;border-bottom:1px solid #8886}" +
  ".sdtp-table .l{text-align:left}</style>";

/** A cell that is read as text: one that does not begin as a number. Columns with such cells stand at the left. */
export function isText(cell: string | number): boolean {
  return typeof cell === "string" && !/^(-?\d|NaN|-$)/.test(cell);
}

/** A table with a caption; columns of numbers stand at the right. */
export function htmlTable(caption: string, head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const left = head.map((_, c) => rows.some((row) => isText(row[c]!)));
  const cell = (tag: "td" | "th", text: string | number, c: number) => `<${tag}${left[c] ? " class=l" : ""}>${escapeHtml(String(text))}</${tag}>`;
  const body = rows.map((row) => `<tr>${row.map((text, c) => cell("td", text, c)).join("")}</tr>`).join("");
  return `${tableStyle}<div>${escapeHtml(caption)}</div><table class="sdtp-table"><thead><tr>${head.map((text, c) => cell("th", text, c)).join("")}</tr></thead><tbody>${body}</tbody></table>`;
}
