import { separated } from "../export/separated.js";
import { joined, type DisplayOutput, type MimeData, type Output, type ResultOutput } from "../types.js";
import { shownIn, tableDifferences } from "./html.js";
import { jsonDifferences } from "./json.js";
import { isMeasured, NOISE } from "./measured.js";
import { sameText, type Tolerance } from "./text.js";

/** What is not as it was in a cell's outputs. */
export interface OutputDifference {
  /** Where: `output 2 (table), row 3, column "KV Length"`. */
  place: string;
  before: string;
  after: string;
}

export const PLOTLY = "application/vnd.plotly.v1+json";

/** Compares the outputs of a cell: text, JSON, tables and charts by value. Pictures are left out. */
export function outputDifferences(before: Output[], after: Output[], tolerance: Tolerance): OutputDifference[] {
  const [a, b] = [merged(before), merged(after)];
  const found: OutputDifference[] = [];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [x, y] = [a[i], b[i]];
    const number = `output ${i + 1}`;
    if (!x || !y) found.push({ place: number, before: x ? summary(x) : "(none)", after: y ? summary(y) : "(none)" });
    else if (family(x) !== family(y)) found.push({ place: number, before: summary(x), after: summary(y) });
    else for (const each of compare(x, y, tolerance)) found.push({ ...each, place: `${number} (${each.place})` });
  }
  return found;
}

/** Text of one stream that was sent in several pieces is one output. */
function merged(outputs: Output[]): Output[] {
  const result: Output[] = [];
  // A notebook to share has a chart and the table beside it as two outputs.
  for (const output of outputs.flatMap(separated)) {
    const last = result.at(-1);
    if (output.output_type === "stream" && last?.output_type === "stream" && last.name === output.name) {
      result[result.length - 1] = { ...last, text: joined(last.text) + joined(output.text) };
    } else result.push(output);
  }
  return result.filter((output) => (output.output_type === "stream" ? joined(output.text).trim() !== "" : output.output_type === "error" || !isEmptied(output.data)));
}

/** What a program took back after it showed it. */
const isEmptied = (data: MimeData): boolean => Object.values(data).every((content) => (typeof content === "string" || Array.isArray(content)) && content.length === 0);

const family = (output: Output): string => (output.output_type === "stream" ? output.name : output.output_type === "error" ? "error" : "data");

function compare(a: Output, b: Output, tolerance: Tolerance): OutputDifference[] {
  if (a.output_type === "stream" && b.output_type === "stream") return textDifference(a.name, joined(a.text), joined(b.text), tolerance);
  if (a.output_type === "error" && b.output_type === "error") return textDifference("error", `${a.ename}: ${a.evalue}`, `${b.ename}: ${b.evalue}`, tolerance);
  return compareData((a as DisplayOutput | ResultOutput).data, (b as DisplayOutput | ResultOutput).data, tolerance);
}

/** Parts of JSON outputs that say nothing of what was computed: the id of a widget, pictures of what is compared as numbers beside them. */
const isOfOneRun = (path: string): boolean => /(^|\.)(model_id|image\/[\w+.-]+)$/.test(path);

function compareData(a: MimeData, b: MimeData, tolerance: Tolerance): OutputDifference[] {
  if (a[PLOTLY] !== undefined || b[PLOTLY] !== undefined) {
    if (a[PLOTLY] === undefined || b[PLOTLY] === undefined) return [{ place: "chart", before: kinds(a), after: kinds(b) }];
    return chartDifferences(a[PLOTLY], b[PLOTLY], tolerance);
  }
  const json = Object.keys(a).find((type) => isJson(type) && b[type] !== undefined);
  if (json !== undefined) return jsonDifferences(a[json], b[json], tolerance, isOfOneRun).map((each) => ({ ...each, place: `JSON, ${each.place}` }));
  const [htmlA, htmlB] = [a, b].map((data) => text(data, "text/html"));
  if (htmlA !== undefined && htmlB !== undefined) {
    const found = htmlDifferences(htmlA, htmlB, tolerance);
    if (found !== undefined) return found;
  }
  for (const type of ["text/markdown", "text/plain", "text/latex"]) {
    const [x, y] = [text(a, type), text(b, type)];
    if (x !== undefined && y !== undefined && !(type === "text/plain" && hasPicture(a) && hasPicture(b))) return textDifference(type === "text/plain" ? "text" : type, x, y, tolerance);
  }
  // Pictures of one kind are taken for equal.
  return hasPicture(a) === hasPicture(b) ? [] : [{ place: "data", before: kinds(a), after: kinds(b) }];
}

/** undefined where there is nothing to compare: the HTML only runs a script, or is a picture. */
function htmlDifferences(a: string, b: string, tolerance: Tolerance): OutputDifference[] | undefined {
  const [x, y] = [shownIn(a), shownIn(b)];
  if (x.tables.length === 0 && y.tables.length === 0 && x.text === "" && y.text === "") return undefined;
  const found: OutputDifference[] = [];
  if (x.tables.length !== y.tables.length) return [{ place: "HTML", before: `${x.tables.length} tables`, after: `${y.tables.length} tables` }];
  for (const [i, table] of x.tables.entries()) {
    const name = x.tables.length === 1 ? "table" : `table ${i + 1}`;
    found.push(...tableDifferences(table, y.tables[i]!, tolerance).map((each) => ({ ...each, place: `${name}, ${each.place}` })));
  }
  return [...found, ...textDifference("text", x.text, y.text, tolerance)];
}

interface Figure {
  data?: { [key: string]: unknown; name?: string }[];
  layout?: { [key: string]: unknown };
}

/** The data of a chart; its looks are a matter of taste. An axis of times or speedups is left out. */
function chartDifferences(a: unknown, b: unknown, tolerance: Tolerance): OutputDifference[] {
  const [before, after] = [a, b] as Figure[];
  const title = (axis: unknown): string => {
    const value = (axis as { title?: string | { text?: string } } | undefined)?.title;
    return (typeof value === "string" ? value : value?.text) ?? "";
  };
  const heading = title({ title: before?.layout?.["title"] as string });
  const measured = (letter: string, axis: unknown) => {
    const key = `${letter}axis${typeof axis === "string" ? axis.slice(1) : ""}`;
    return isMeasured(title(before?.layout?.[key])) || (letter === "y" && isMeasured(heading));
  };
  const skips = (path: string) => {
    const match = /^\[(\d+)\]\.([xy]|error_[xy]|text|texttemplate|hovertemplate|hovertext|customdata|uid|marker|line|colorscale|colorbar)(?:$|[.[])/.exec(path);
    if (!match) return false;
    const [, index, field = ""] = match;
    const trace = before?.data?.[Number(index)];
    if (field === "x" || field === "error_x") return !tolerance.exactTimes && measured("x", trace?.["xaxis"]);
    if (field === "y" || field === "error_y") return !tolerance.exactTimes && measured("y", trace?.["yaxis"]);
    // Labels of values that are left out.
    return field !== "text" && field !== "hovertext" ? true : !tolerance.exactTimes && (measured("y", trace?.["yaxis"]) || measured("x", trace?.["xaxis"]));
  };
  return jsonDifferences(before?.data ?? [], after?.data ?? [], tolerance, skips).map((each) => ({ ...each, place: `chart, data${each.place}` }));
}

function textDifference(place: string, before: string, after: string, tolerance: Tolerance): OutputDifference[] {
  if (sameText(before, after, tolerance)) return [];
  // Only the lines that differ, where they are as many.
  const [a, b] = [before, after].map((each) => each.trimEnd().split("\n").filter((line) => tolerance.exactTimes || !NOISE.test(line))) as [string[], string[]];
  if (a.length !== b.length || a.length === 1) return [{ place, before: before.trimEnd(), after: after.trimEnd() }];
  return a.flatMap((line, i) => (sameText(line, b[i] ?? "", tolerance) ? [] : [{ place: `${place}, line ${i + 1}`, before: line, after: b[i] ?? "" }]));
}

const isJson = (type: string): boolean => type === "application/json" || (type.endsWith("+json") && type !== PLOTLY);

const hasPicture = (data: MimeData): boolean => Object.keys(data).some((type) => type.startsWith("image/") || type === "application/pdf");

function text(data: MimeData, type: string): string | undefined {
  const value = data[type];
  return value === undefined ? undefined : joined(value as string | string[]);
}

const kinds = (data: MimeData): string => Object.keys(data).sort().join(", ") || "(nothing)";

/** An output in a line. */
export function summary(output: Output): string {
  if (output.output_type === "stream") return `${output.name}: ${firstLine(joined(output.text))}`;
  if (output.output_type === "error") return `${output.ename}: ${firstLine(output.evalue)}`;
  const plain = text(output.data, "text/plain");
  return plain === undefined ? kinds(output.data) : firstLine(plain);
}

function firstLine(text: string): string {
  const line = text.trim().split("\n")[0] ?? "";
  return line.length <= 120 ? line : `${line.slice(0, 119)}…`;
}
