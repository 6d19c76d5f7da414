import { escapeHtml } from "../../escape-html.js";
import { isNumeric, type Table, texts, withoutUnit } from "../table.js";
import { tableStyle } from "../table-style.js";

/** An HTML fragment: a captioned table between paragraphs. Numbers and their heads stand at the right. */
export function toHtml<Row>(table: Table<Row>): string {
  const sides = table.columns.map((column) => ` style="text-align:${isNumeric(table, column) ? "right" : "left"}"`);
  const head = table.columns.map(({ label }, i) => `<th${sides[i]}>${escapeHtml(label)}</th>`).join("");
  const rows = table.rows.map((row) => `<tr>${texts(table, row).map((text, i) => `<td${sides[i]}>${escapeHtml(withoutUnit(text, table.columns[i]!.label))}</td>`).join("")}</tr>`);
  return [
    `${tableStyle}${table.above.map((line) => `<p>${escapeHtml(line)}</p>`).join("\n")}`,
    `<table class="sdtp-table">`,
    `<caption>${escapeHtml(table.title)}</caption>`,
    `<thead><tr>${head}</tr></thead>`,
    `<tbody>`,
    ...rows,
    "</tbody>",
    "</table>",
    ...(table.notes ?? []).map((note) => `<p class="sdtp-note">${escapeHtml(note)}</p>`),
    ...warnings(table.warnings),
    "",
  ].join("\n");
}

/** One by itself, several as a list: paragraphs of them would be longer than the table. */
function warnings(all: readonly string[]): string[] {
  if (all.length <= 1) return all.map((warning) => `<p class="sdtp-note"><strong>Warning:</strong> ${escapeHtml(warning)}</p>`);
  return [`<details class="sdtp-note" open><summary><strong>${all.length} warnings</strong></summary><ul>${all.map((warning) => `<li>${escapeHtml(warning)}</li>`).join("")}</ul></details>`];
}

/** A whole page around fragments. */
export function htmlDocument(title: string, body: string): string {
  const style = "body{font-family:sans-serif;margin:2rem}";
  return `<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>${escapeHtml(title)}</title><style>${style}</style></head>\n<body>\n${body}</body>\n</html>\n`;
}
