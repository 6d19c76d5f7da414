import { alignments, type HtmlTable } from "./html-tables.js";
import { edges } from "./shortened.js";
import { latexText } from "./latex-text.js";

/** More rows than this are set over pages. */
const LONG = 40;

/** A table with booktabs rules; a wide one is set smaller, a long one over pages. */
export function latexTable(table: HtmlTable, { sides = alignments(table), isLatex = false }: { sides?: readonly ("left" | "right" | "center")[]; isLatex?: boolean } = {}): string {
  const line = (cells: readonly string[]) => `${cells.map((cell) => (isLatex ? cell : latexText(cell))).join(" & ")} \\\\`;
  const columns = sides.map((side) => side[0]).join("");
  const isLong = table.rows.length > LONG;
  const rows = edges(table.rows, (hidden) => [`… ${hidden.toLocaleString("en")} rows that are not shown …`, ...Array<string>(Math.max(0, sides.length - 1)).fill("")]);
  const body = ["\\toprule", line(table.head), "\\midrule", ...(isLong ? ["\\endhead"] : []), ...rows.map(line), "\\bottomrule"].join("\n");
  const caption = table.caption === "" ? "" : `\\textbf{${latexText(table.caption)}}\\par\\smallskip\n`;
  if (isLong) return `{\\small ${caption}\\begin{longtable}{${columns}}\n${body}\n\\end{longtable}}`;
  return `\\begin{center}\\small\n${caption}\\begin{adjustbox}{max width=\\linewidth}\n\\begin{tabular}{${columns}}\n${body}\n\\end{tabular}\n\\end{adjustbox}\n\\end{center}`;
}
