import { labeller } from "./configuration.js";
import { escapeHtml } from "../escape-html.js";
import { mean } from "./forced.js";
import type { EvaluationRow } from "./rows.js";
import { groupBy } from "./summary.js";

/** Accuracy by where the key stands and how long the prompt is, for one configuration. */
export interface HeatMap {
  readonly label: string;
  readonly lengths: readonly number[];
  readonly depths: readonly number[];
  /** `[depths][lengths]`: share of keys wholly right; null where nothing was asked. */
  readonly accuracy: readonly (readonly (number | null)[])[];
  /** `[depths][lengths]`: how many were asked for. */
  readonly asked: readonly (readonly number[])[];
}

/** Heat maps of retrieval rows, one a configuration. */
export function heatMaps(rows: readonly EvaluationRow[]): HeatMap[] {
  return [...groupBy(rows.filter(({ task }) => task === "retrieval"), labeller(rows))].map(([label, found]) => {
    const answers = found.flatMap((row) => {
      const length = Number(row.group["length"]);
      return row.cells
        ? row.cells.map((cell) => ({ length, depth: Number(cell["depth"]), exact: Number(cell["exact"]) }))
        : [{ length, depth: Number(row.group["depth"]), exact: row.metrics["exact"]! }];
    });
    const distinct = (key: "length" | "depth") => [...new Set(answers.map((answer) => answer[key]))].sort((a, b) => a - b);
    const [lengths, depths] = [distinct("length"), distinct("depth")];
    const at = (depth: number, length: number) => answers.filter((answer) => answer.depth === depth && answer.length === length).map(({ exact }) => exact);
    return {
      label, lengths, depths,
      accuracy: depths.map((depth) => lengths.map((length) => (at(depth, length).length ? mean(at(depth, length)) : null))),
      asked: depths.map((depth) => lengths.map((length) => at(depth, length).length)),
    };
  });
}

const percent = (value: number | null): string => (value === null ? "-" : `${Math.round(100 * value)} %`);

/** A heat map in characters, a row a depth. */
export function heatMapText({ label, lengths, depths, accuracy }: HeatMap): string {
  const head = ["depth", ...lengths.map(String)];
  const body = depths.map((depth, d) => [depth.toFixed(2), ...accuracy[d]!.map(percent)]);
  const widths = head.map((_, c) => Math.max(...[head, ...body].map((row) => row[c]!.length)));
  return [label, ...[head, ...body].map((row) => row.map((cell, c) => cell.padStart(widths[c]!)).join("  "))].join("\n");
}

/** Heat maps as one HTML page, red to green, the numbers in the cells. */
export function heatMapPage(title: string, maps: readonly HeatMap[]): string {
  const cell = (value: number | null, asked: number) =>
    `<td title="${asked} asked"${value === null ? "" : ` style="background:hsl(${Math.round(120 * value)} 60% 70%);color:#000"`}>${percent(value)}</td>`;
  const table = ({ label, lengths, depths, accuracy, asked }: HeatMap) =>
    `<h2>${escapeHtml(label)}</h2><table><tr><th>depth</th>${lengths.map((length) => `<th>${length}</th>`).join("")}</tr>` +
    `${depths.map((depth, d) => `<tr><th>${depth.toFixed(2)}</th>${accuracy[d]!.map((value, l) => cell(value, asked[d]![l]!)).join("")}</tr>`).join("")}</table>`;
  const style = "html{color-scheme:light dark}body{font-family:sans-serif;margin:2rem}table{border-collapse:collapse}td,th{padding:.4rem .8rem;text-align:right}h2{font-size:1rem}";
  return `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title><style>${style}</style></head>\n<body><h1>${escapeHtml(title)}</h1>\n${maps.map(table).join("\n")}\n</body></html>\n`;
}
