import { isNumeric, type Table, texts, withoutUnit } from "../table.js";

/** A LaTeX table environment with booktabs rules (`\usepackage{booktabs}`). */
export function toLatex<Row>(table: Table<Row>): string {
  const alignment = table.columns.map((column) => (isNumeric(table, column) ? "r" : "l")).join("");
  const line = (cells: readonly string[]) => `${cells.map(escaped).join(" & ")} \\\\`;
  return [
    "\\begin{table}",
    "\\centering",
    `\\begin{tabular}{${alignment}}`,
    "\\toprule",
    line(table.columns.map(({ label }) => label)),
    "\\midrule",
    ...table.rows.map((row) => line(texts(table, row).map((text, i) => withoutUnit(text, table.columns[i]!.label)))),
    "\\bottomrule",
    "\\end{tabular}",
    `\\caption{${escaped([`${table.title}.`, ...table.above, ...(table.notes ?? []), ...table.warnings.map((warning) => `Warning: ${warning}.`)].join(" "))}}`,
    "\\end{table}",
    "",
  ].join("\n");
}

const special: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "×": "$\\times$",
};

function escaped(text: string): string {
  return text.replace(/[\\~^×]|[&%$#_{}]/g, (character) => special[character] ?? `\\${character}`);
}
