import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import type { Formatted } from "./registry.js";

interface Figure {
  data: object[];
  layout?: object;
  config?: object;
}

let libraryShown = false;

/**
 * Plotly figures: `application/vnd.plotly.v1+json` for clients that draw it themselves (VS Code,
 * JupyterLab with its extension), and HTML that draws without a network. The first figure of a session
 * brings the library (compressed, 2 MB); later ones use it.
 */
export function plotly(value: unknown): Formatted | undefined {
  return isFigure(value) ? plotlyBundle(value) : undefined;
}

export function plotlyBundle({ data, layout = {}, config = { responsive: true } }: Figure): Formatted {
  const id = `plotly-${randomUUID()}`;
  const figure = JSON.stringify({ data, layout, config }, (_, each: unknown) =>
    ArrayBuffer.isView(each) && !(each instanceof DataView) ? [...(each as unknown as Iterable<number>)] : each,
  );
  const library = libraryShown ? "" : libraryScript();
  libraryShown = true;
  const html = `${library}<div id="${id}" style="min-height: 360px"></div><script>(async () => {
const element = document.getElementById(${JSON.stringify(id)});
for (let i = 0; !window.Plotly && i < 100; i++) await (window.__plotly__ ?? new Promise((next) => setTimeout(next, 50)));
if (!window.Plotly) { element.textContent = "This chart needs Plotly, which the notebook's first chart brings: run that cell again."; return; }
const figure = ${scriptSafe(figure)};
await window.Plotly.newPlot(element, figure.data, figure.layout, figure.config);
})();</script>`;
  return {
    "application/vnd.plotly.v1+json": JSON.parse(figure) as object,
    "text/html": html,
    "text/plain": `Plotly figure: ${data.length} ${data.length === 1 ? "trace" : "traces"}`,
  };
}

/** Evaluated with `define` and `module` shadowed: notebooks that have an AMD loader would swallow it. */
function libraryScript(): string {
  const path = createRequire(import.meta.url).resolve("plotly.js/plotly.min.js");
  const packed = gzipSync(readFileSync(path), { level: 9 }).toString("base64");
  return `<script>window.__plotly__ ??= (async () => {
const bytes = Uint8Array.from(atob("${packed}"), (c) => c.charCodeAt(0));
const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
new Function("define", "module", "exports", await new Response(stream).text())();
})();</script>`;
}

function scriptSafe(json: string): string {
  return json.replaceAll("<", "\\u003c").replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

/** An object literal `{data: traces, layout}`: every trace says its type or has coordinates. */
function isFigure(value: unknown): value is Figure {
  if (typeof value !== "object" || value === null) return false;
  const { data, layout } = value as Partial<Figure>;
  if (!Array.isArray(data) || data.length === 0 || typeof layout !== "object" || layout === null) return false;
  const isTrace = (trace: unknown) =>
    typeof trace === "object" && trace !== null && ["type", "x", "y", "z", "values"].some((key) => key in trace);
  return data.every(isTrace);
}
