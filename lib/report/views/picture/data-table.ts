import { escapeHtml } from "../../../escape-html.js";
import type { Attributes } from "../../figure.js";
import { plainWords } from "./draw.js";
import { decoded, isList, list } from "./values.js";

/** A chart's data as text in cells. */
export interface DataTable {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** More rows or columns than these are counted, not shown. */
const MOST_ROWS = 20;
const MOST_COLUMNS = 10;

/** Arrays that say how a chart looks, not what it shows. */
const looks = new Set(["domain", "colorscale", "customdata", "hovertext", "hovertemplate", "ids", "selectedpoints", "range", "transforms"]);

/** The data of a figure's traces in tables, one a trace: what is shown of a chart that cannot be drawn. Traces without data have none. */
export function dataTables({ data }: { readonly data: readonly object[] }): DataTable[] {
  return (decoded(data) as Attributes[]).flatMap((trace, i, all) => {
    const name = plainWords(trace["name"]) || (all.length > 1 ? `Trace ${i + 1}` : "");
    const caption = [name, `(${String(trace["type"] ?? "scatter")})`].filter(Boolean).join(" ");
    const table = isList(list(trace["z"])[0]) ? gridTable(trace) : columnTable(trace);
    return table ? [{ caption, ...table }] : [];
  });
}

/** The same as HTML. */
export const dataTablesHtml = (figure: { readonly data: readonly object[] }): string =>
  dataTables(figure).map(({ caption, head, rows }) => `<table><caption>${escapeHtml(caption)}</caption><thead><tr>${head.map((each) => `<th>${escapeHtml(each)}</th>`).join("")}</tr></thead><tbody>${rows.map((row) => `<tr>${row.map((each) => `<td>${escapeHtml(each)}</td>`).join("")}</tr>`).join("")}</tbody></table>`).join("");

/** Lists of values side by side, those inside of parts too: `link.source`. */
function columnTable(trace: Attributes): Omit<DataTable, "caption"> | undefined {
  const columns: [string, unknown[]][] = [];
  const walk = (part: Attributes, path: string): void => {
    for (const [key, value] of Object.entries(part)) {
      if (looks.has(key)) continue;
      if (isList(value)) {
        const values = list(value);
        // Axes of several dimensions, each with a name and values.
        if (values.length > 0 && values.every((each) => isList((each as Attributes | null)?.["values"]))) for (const each of values as Attributes[]) columns.push([String(each["label"] ?? key), list(each["values"])]);
        else if (values.length > 0) columns.push([path + key, values]);
      } else if (typeof value === "object" && value !== null && key !== "marker" && key !== "line") walk(value as Attributes, `${path}${key}.`);
    }
  };
  walk(trace, "");
  if (columns.length === 0) return undefined;
  const shown = columns.slice(0, MOST_COLUMNS);
  const count = Math.max(...shown.map(([, values]) => values.length));
  const rows = Array.from({ length: Math.min(count, MOST_ROWS) }, (_, i) => shown.map(([, values]) => cell(values[i])));
  return { head: shown.map(([name]) => name), rows: withRest(rows, count, shown.length) };
}

/** Values over two axes: a row for each of y. */
function gridTable(trace: Attributes): Omit<DataTable, "caption"> {
  const grid = list(trace["z"]).map(list);
  const width = Math.min(MOST_COLUMNS, Math.max(...grid.map((row) => row.length)));
  const [xs, ys] = [list(trace["x"]), list(trace["y"])];
  const rows = grid.slice(0, MOST_ROWS).map((row, r) => [cell(ys[r] ?? r), ...Array.from({ length: width }, (_, c) => cell(row[c]))]);
  return { head: ["", ...Array.from({ length: width }, (_, c) => cell(xs[c] ?? c))], rows: withRest(rows, grid.length, width + 1) };
}

const withRest = (rows: string[][], count: number, width: number): string[][] => (count > rows.length ? [...rows, [`… ${count - rows.length} more`, ...Array<string>(width - 1).fill("")]] : rows);

function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  return plainWords(typeof value === "object" ? JSON.stringify(value) : value).slice(0, 60);
}
