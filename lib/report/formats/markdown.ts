import { type Table, texts } from "../table.js";

/** GitHub-flavoured markdown: what holds for the table, the table, its warnings. */
export function toMarkdown<Row>(table: Table<Row>): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.replaceAll("|", "\\|").padEnd(table.columns[i]!.width ?? 0)).join(" | ")} |`;
  const rows = [
    `| ${table.columns.map(({ label }) => label).join(" | ")} |`,
    `|${table.columns.map(({ label, rule }) => "-".repeat(rule ?? label.length + 2)).join("|")}|`,
    ...table.rows.map((row) => line(texts(table, row))),
  ];
  const notes = (table.notes ?? []).map((note) => note.replace(/^\*/, "\\*")).join("  \n");
  const blocks = [table.above.join("  \n"), rows.join("\n"), notes, table.warnings.map((warning) => `> Warning: ${warning}`).join("\n>\n")];
  return `${blocks.filter((block) => block !== "").join("\n\n")}\n`;
}
