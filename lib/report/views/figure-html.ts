import { createHash } from "node:crypto";
import { escapeHtml } from "../../escape-html.js";
import type { Attributes } from "../figure.js";
import { dataTablesHtml } from "./picture/data-table.js";
import { picture, undrawn } from "./picture/index.js";
import { packed, plotlySource } from "./plotly-library.js";

/** What `Plotly.newPlot` takes. */
export interface PlotlyFigure {
  readonly data: readonly object[];
  readonly layout?: object;
  readonly config?: object;
}

/** A figure as JSON that may stand inside a script element. Typed arrays become arrays, bigints numbers. */
export function figureJson({ data, layout = {}, config = { responsive: true } }: PlotlyFigure): string {
  const json = JSON.stringify({ data, layout, config }, (_, each: unknown) =>
    typeof each === "bigint" ? Number(each) : ArrayBuffer.isView(each) && !(each instanceof DataView) ? Array.from(each as unknown as ArrayLike<unknown>) : each,
  );
  return json.replaceAll("<", "\\u003c").replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

/** A figure whose ground is the page's, with letters and lines that are read on light and dark, unless it has looks of its own. */
export function clearFigure<Figure extends PlotlyFigure>(figure: Figure): Figure {
  const layout = (figure.layout ?? {}) as Attributes;
  if (layout["paper_bgcolor"] || layout["template"]) return figure;
  const axis = { gridcolor: "rgba(128,128,128,.25)", zerolinecolor: "rgba(128,128,128,.5)" };
  const axes = Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key));
  const styled = Object.fromEntries([...new Set(["xaxis", "yaxis", ...axes])].map((key) => [key, { ...axis, ...layout[key] }]));
  const round = (figure.data as Attributes[]).flatMap(({ type, subplot, geo }) => {
    const kind = /(polar|ternary|smith|geo)|^(choropleth)$/.exec(String(type));
    return kind === null ? [] : [String((kind[1] === "geo" || kind[2] ? geo : subplot) ?? kind[1] ?? "geo")];
  });
  const grounds = Object.fromEntries(round.map((name) => [name, { bgcolor: CLEAR, ...layout[name] }]));
  return { ...figure, data: (figure.data as Attributes[]).map(clearTrace), layout: { paper_bgcolor: CLEAR, plot_bgcolor: CLEAR, ...layout, font: { color: "#7a7a7a", ...layout["font"] }, ...styled, ...grounds } };
}

const CLEAR = "rgba(0,0,0,0)";

/** Traces whose colours Plotly takes from a ground that it believes to be white or black. */
function clearTrace(trace: Attributes): Attributes {
  if (trace["type"] === "sankey") return { ...trace, link: { color: "rgba(128,128,128,.4)", ...trace["link"] } };
  if (trace["type"] !== "table") return trace;
  const part = (name: string, color: string) => ({ line: { color: "rgba(128,128,128,.4)" }, ...trace[name], fill: { color, ...trace[name]?.fill } });
  return { ...trace, header: part("header", "rgba(128,128,128,.2)"), cells: part("cells", CLEAR) };
}

/**
 * A figure as its picture, which is drawn in its place once Plotly is there; the picture stays where no script runs. The same for the
 * same figure.
 * @param text says what the picture shows; stands in its place where there is none
 */
export function figureHtml(figure: PlotlyFigure, text: string): string {
  const clear = clearFigure(figure);
  const json = figureJson(clear);
  // Letters in the colour of the page's, where the figure does not say another.
  const isClear = clear !== figure && (figure.layout as Attributes | undefined)?.["font"]?.color === undefined;
  const id = `plotly-${createHash("sha256").update(json).digest("hex").slice(0, 12)}`;
  const still = picture(figure);
  const height = (figure.layout as { height?: number } | undefined)?.height ?? still?.height ?? 360;
  const alt = escapeHtml(text.length > 500 ? `${text.slice(0, 500)}…` : text).replaceAll("\n", "&#10;");
  const shown = still ? `<img alt="${alt}" width="${still.width}" height="${still.height}" style="max-width:100%;height:auto" src="data:image/svg+xml;base64,${Buffer.from(still.svg).toString("base64")}">` : dataHtml(figure, text);
  return `<div id="${id}" style="min-height:${height}px">${shown}</div><script>(async () => {
for (let i = 0; !window.Plotly && i < 100; i++) await (window.__plotly__ ?? new Promise((next) => setTimeout(next, 50)));
if (!window.Plotly) return;
for (const element of document.querySelectorAll('[id="${id}"]:not([data-drawn])')) {
element.dataset.drawn = "";
const figure = ${json};
${isClear ? "figure.layout.font.color = getComputedStyle(element).color;\n" : ""}element.replaceChildren();
await window.Plotly.newPlot(element, figure.data, figure.layout, figure.config);
}
})();</script>`;
}

/** What stands for a chart that no picture can be made of: what it is, why it is not drawn, and its data. */
function dataHtml(figure: PlotlyFigure, text: string): string {
  const kinds = undrawn(figure);
  const why = kinds.length > 0 ? `Plotly alone draws charts of the kind ${kinds.join(", ")}: here its data` : "nothing that could be drawn without Plotly";
  return `<pre>${escapeHtml(text)} (${escapeHtml(why)})</pre>${dataTablesHtml(figure)}`;
}

/** Plotly itself, compressed (2 MB). Evaluated with `define` and `module` shadowed: a notebook's AMD loader would swallow it. */
export function plotlyScript(): string {
  return `<script>window.__plotly__ ??= (async () => {
const bytes = Uint8Array.from(atob("${packed(plotlySource())}"), (c) => c.charCodeAt(0));
const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
new Function("define", "module", "exports", await new Response(stream).text())();
})();</script>`;
}

/** What a notebook's kernel offers to code that cannot depend on it (kernel/child/api.ts). */
interface Notebook {
  readonly beside?: boolean;
  display(value: object, options: { raw: true }): { update(value: object, options: { raw: true }): void };
}

let brought = false;

/**
 * Gives Plotly to the client, the first time in a session: by an output that is empty, has the library for a moment, and is empty
 * again, so that no notebook keeps two megabytes of it. Tools that compare outputs and do not follow updates see nothing but the
 * empty output. Outside of a notebook nothing.
 */
export function bringPlotly(): void {
  const notebook = (globalThis as { [key: symbol]: unknown })[Symbol.for("sdtp.notebook")] as Notebook | undefined;
  // A control's view gets it by the control (lib/control/browser.ts).
  if (brought || !notebook || notebook.beside) return;
  brought = true;
  // Jupyter Notebook puts an output without any type nowhere, and runs no script there.
  const output = notebook.display({ "text/plain": "" }, { raw: true });
  output.update({ "text/html": plotlyScript() }, { raw: true });
  output.update({ "text/plain": "" }, { raw: true });
}
