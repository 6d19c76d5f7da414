/** Text for an HTML element or attribute. */
export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** Borders in a grey that shows on light and on dark; colours are the page's own. */
const tableStyle =
  "<style>.sdtp-table{border-collapse:collapse;font-size:13px;margin:.5em 0}.sdtp-table td,.sdtp-table th{padding:2px 10px;text-align:right;border:0;border-bottom:1px solid #8886}" +
  ".sdtp-table .l{text-align:left}.sdtp-table caption{text-align:left;padding:2px 0}</style>";

/** A table with a caption; columns whose cells are all numbers stand at the right. */
export function htmlTable(caption: string, head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const left = head.map((_, c) => rows.some((row) => typeof row[c] === "string"));
  const cell = (tag: "td" | "th", text: string | number, c: number) => `<${tag}${left[c] ? " class=l" : ""}>${escapeHtml(String(text))}</${tag}>`;
  const body = rows.map((row) => `<tr>${row.map((text, c) => cell("td", text, c)).join("")}</tr>`).join("");
  return `${tableStyle}<table class="sdtp-table"><caption>${escapeHtml(caption)}</caption><thead><tr>${head.map((text, c) => cell("th", text, c)).join("")}</tr></thead><tbody>${body}</tbody></table>`;
}
