import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { readResultsFolder } from "../../bench/results.js";
import type { JsonObject } from "../../jupyter/messages.js";
import { records, table2, texts } from "../../report/index.js";
import { shownIn, type Table } from "../compare/html.js";
import { summary } from "../compare/outputs.js";
import { readNotebook } from "../read.js";
import { hasTag, joined, type Notebook, type Output } from "../types.js";

/** A run or a folder of results, as the page shows it. */
export interface Entry {
  kind: "notebook" | "results";
  title: string;
  /** From the page's folder, with slashes: the notebook, and its report where one lies beside it. */
  links: { text: string; href: string }[];
  status: string;
  /** ISO 8601, and seconds; undefined where nothing says. */
  start?: string;
  seconds?: number;
  parameters: Record<string, string>;
  /** What it found: `label: value`, or a text. */
  headlines: string[];
  tables: Table[];
}

/** Tables of one notebook that are shown, and rows of each. */
export const [MOST_TABLES, MOST_ROWS] = [20, 200];

/**
 * What the folders below one hold: executed notebooks, and results of the benchmark, the latest first.
 * @param page folder of the page, from which links go
 * @param warn is told of files that cannot be read
 */
export async function collect(folder: string, page: string, warn: (text: string) => void): Promise<Entry[]> {
  const entries: Entry[] = [];
  const told = (error: Error): undefined => void warn(error.message);
  const visit = async (at: string): Promise<void> => {
    const inside = (await readdir(at, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of inside) {
      const path = join(at, entry.name);
      if (entry.isDirectory() && !entry.name.startsWith(".") && entry.name !== "node_modules") await visit(path);
      else if (entry.isFile() && entry.name.endsWith(".ipynb")) {
        const notebook = await readNotebook(path).catch(told);
        if (notebook && wasRun(notebook)) entries.push(notebookEntry(notebook, path, page));
      }
    }
    if (inside.some(({ name }) => /^latency_results_.*\.json$/.test(name))) {
      const found = await resultsEntry(at, page).catch(told);
      if (found) entries.push(found);
    }
  };
  await visit(folder);
  return entries.sort((a, b) => (b.start ?? "").localeCompare(a.start ?? "") || a.title.localeCompare(b.title));
}

const wasRun = ({ cells }: Notebook): boolean => cells.some((cell) => cell.cell_type === "code" && (cell.execution_count !== null || cell.outputs.length > 0));

function notebookEntry(notebook: Notebook, path: string, page: string): Entry {
  const { papermill = {}, sdtp = {} } = notebook.metadata as { papermill?: JsonObject; sdtp?: JsonObject };
  const { status } = (sdtp["run"] ?? {}) as { status?: string };
  const outputs = notebook.cells.flatMap((cell) => (cell.cell_type === "code" ? cell.outputs : []));
  const failed = papermill["exception"] === true || outputs.some(({ output_type }) => output_type === "error");
  const headlines = notebook.cells.flatMap((cell) => (cell.cell_type === "code" && hasTag(cell, "headline") ? cell.outputs.map(summary) : []));
  const report = path.replace(/\.ipynb$/, ".html");
  return {
    kind: "notebook", title: titleOf(notebook) ?? relative(page, path),
    links: [link("notebook", path, page), ...(existsSync(report) ? [link("report", report, page)] : [])],
    status: status ?? (failed ? "failed" : "completed"),
    ...(typeof papermill["start_time"] === "string" && { start: papermill["start_time"] }),
    ...(typeof papermill["duration"] === "number" && { seconds: papermill["duration"] }),
    parameters: Object.fromEntries(Object.entries((papermill["parameters"] ?? {}) as JsonObject).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)])),
    headlines, tables: outputs.flatMap(tablesOf).slice(0, MOST_TABLES),
  };
}

function tablesOf(output: Output): Table[] {
  if (!("data" in output)) return [];
  const html = (output.data as JsonObject)["text/html"] as string | string[] | undefined;
  return html === undefined ? [] : shownIn(joined(html)).tables.map((table) => ({ ...table, body: table.body.slice(0, MOST_ROWS) }));
}

async function resultsEntry(folder: string, page: string): Promise<Entry> {
  const read = await readResultsFolder(folder, "end2end");
  const table = table2({ mode: "end2end", sources: [...read].map(([file, results]) => ({ file, results })) });
  const rows = records(table) as Record<string, unknown>[];
  const { metadata } = [...read.values()][0]!;
  const said = metadata as unknown as Record<string, unknown>;
  const parameters = Object.fromEntries(["model", "device", "dtype", "scorer"].flatMap((name) => (typeof said[name] === "string" ? [[name, said[name]]] : [])));
  return {
    kind: "results", title: table.title ?? relative(page, folder), links: [...read.keys()].map((file) => link(relative(folder, file), file, page)), status: "completed",
    ...(typeof said["timestamp"] === "string" && { start: said["timestamp"] }),
    parameters, headlines: bestSpeedups(rows),
    tables: [{ caption: table.above.join(" "), head: [table.columns.map(({ label }) => label)], body: table.rows.slice(0, MOST_ROWS).map((row) => texts(table, row)) }],
  };
}

/** The largest speedup of each kind that a table has. */
function bestSpeedups(rows: Record<string, unknown>[]): string[] {
  const keys = Object.keys(rows[0] ?? {}).filter((key) => /speedup/i.test(key));
  return keys.flatMap((key) => {
    const best = rows.reduce<Record<string, unknown> | undefined>((top, row) => (Number(row[key]) > Number(top?.[key] ?? -Infinity) ? row : top), undefined);
    if (!best) return [];
    const [length, method] = Object.values(best);
    return [`${key.replaceAll("_", " ")}: ${Number(best[key]).toFixed(2)}× (${shown(method)}, ${shown(length)})`];
  });
}

const shown = (value: unknown): string => (value === null || value === undefined ? "-" : typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(4))) : String(value));

function titleOf({ cells, metadata }: Notebook): string | undefined {
  if (typeof metadata.title === "string") return metadata.title;
  for (const cell of cells) {
    const heading = cell.cell_type === "markdown" ? /^#{1,2}\s+(.+?)\s*#*$/m.exec(joined(cell.source))?.[1] : undefined;
    if (heading !== undefined) return heading.replace(/[*_`]/g, "");
  }
  return undefined;
}

function link(text: string, path: string, page: string): { text: string; href: string } {
  return { text, href: relative(page, path).split(sep).map(encodeURIComponent).join("/") };
}
