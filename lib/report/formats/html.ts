import { escapeHtml } from "../../escape-html.js";
import { type Table, texts } from "../table.js";

/** An HTML fragment: a captioned table between paragraphs. Numbers stand at the right. */
export function toHtml<Row>(table: Table<Row>): string {
  const head = table.columns.map(({ label }) => `<th>${escapeHtml(label)}</th>`).join("");
  const rows = table.rows.map((row) => {
    const cells = texts(table, row).map((text, i) => {
      const numeric = typeof table.columns[i]!.value(row) !== "string";
      return `<td${numeric ? ' style="text-align:right"' : ""}>${escapeHtml(text)}</td>`;
    });
    return `<tr>${cells.join("")}</tr>`;
  });
  return [
    ...table.above.map((line) => `<p>${escapeHtml(line)}</p>`),
    "<table>",
    `<caption>${escapeHtml(table.title)}</caption>`,
    `<thead><tr>${head}</tr></thead>`,
    `<tbody>`,
    ...rows,
    "</tbody>",
    "</table>",
    ...table.warnings.map((warning) => `<p><strong>Warning:</strong> ${escapeHtml(warning)}</p>`),
    "",
  ].join("\n");
}

/** A whole page around fragments. */
export function htmlDocument(title: string, body: string): string {
  const style = "body{font-family:sans-serif;margin:2rem}table{border-collapse:collapse}td,th{border-bottom:1px solid #ccc;padding:.3rem .6rem}caption{text-align:left;font-weight:bold}";
  return `<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>${escapeHtml(title)}</title><style>${style}</style></head>\n<body>\n${body}</body>\n</html>\n`;
}
