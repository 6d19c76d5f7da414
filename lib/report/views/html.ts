import { escapeHtml } from "../../escape-html.js";
import { tableStyle } from "../table-style.js";

/** A cell that is read as text: one that does not begin as a number. Columns with such cells stand at the left. */
export function isText(cell: string | number): boolean {
  return typeof cell === "string" && !/^(-?\d|NaN|-$)/.test(cell);
}

/** A table with a caption; columns of numbers stand at the right. */
export function htmlTable(caption: string, head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const left = head.map((_, c) => rows.some((row) => isText(row[c]!)));
  const cell = (tag: "td" | "th", text: string | number, c: number) => `<${tag}${left[c] ? " class=l" : ""}>${escapeHtml(String(text))}</${tag}>`;
  const body = rows.map((row) => `<tr>${row.map((text, c) => cell("td", text, c)).join("")}</tr>`).join("");
  return `${tableStyle}<table class="sdtp-table"><caption>${escapeHtml(caption)}</caption><thead><tr>${head.map((text, c) => cell("th", text, c)).join("")}</tr></thead><tbody>${body}</tbody></table>`;
}
