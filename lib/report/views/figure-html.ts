import { randomUUID } from "node:crypto";
import { escapeHtml } from "../../escape-html.js";
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

/**
 * A figure that draws itself once the library is there, from this page or from an earlier cell; without scripts the text stays.
 * @param text what stands there until then
 */
export function figureHtml(figure: PlotlyFigure, text: string): string {
  const id = `plotly-${randomUUID()}`;
  return `<div id="${id}" style="min-height:${(figure.layout as { height?: number } | undefined)?.height ?? 360}px"><pre>${escapeHtml(text)}</pre></div><script>(async () => {
const element = document.getElementById("${id}");
for (let i = 0; !window.Plotly && i < 100; i++) await (window.__plotly__ ?? new Promise((next) => setTimeout(next, 50)));
if (!window.Plotly) return;
const figure = ${figureJson(figure)};
element.replaceChildren();
await window.Plotly.newPlot(element, figure.data, figure.layout, figure.config);
})();</script>`;
}

/** Plotly itself, compressed (2 MB). Evaluated with `define` and `module` shadowed: a notebook's AMD loader would swallow it. */
export function plotlyScript(): string {
  return `<script>window.__plotly__ ??= (async () => {
const bytes = Uint8Array.from(atob("${packed(plotlySource())}"), (c) => c.charCodeAt(0));
const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
new Function("define", "module", "exports", await new Response(stream).text())();
})();</script>`;
}

let shown = false;

/** As `plotlyScript` the first time in a session, nothing afterwards: later cells use what the first brought. */
export function plotlyScriptOnce(): string {
  if (shown) return "";
  shown = true;
  return plotlyScript();
}
