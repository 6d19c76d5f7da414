import { joined, type Output } from "../types.js";
import { ansiHtml } from "./ansi.js";
import { scriptJson } from "./charts.js";
import { controlHtml } from "./controls.js";
import type { CodePart } from "./document.js";
import { bundleUri, imageTypes } from "./images.js";
import { altText, chosen, type Figure, figureOf, figureTitle, isDisplay, PLOTLY, textOf } from "./mime.js";
import { parsed, renderedTokens } from "./markdown.js";
import type { Maths } from "./maths.js";
import { sanitized } from "./sanitize.js";
import { shortTables, shortText } from "./shortened.js";
import { clearFigure } from "../../report/views/figure-html.js";
import { dataTablesHtml } from "../../report/views/picture/data-table.js";
import { picture } from "../../report/views/picture/index.js";
import { keptControl } from "../../control/kept.js";
import { escapeHtml } from "../../escape-html.js";

/** What of a bundle is shown, first to last. */
const order = [PLOTLY, "text/html", ...imageTypes, "text/markdown", "text/latex", "application/json", "text/plain"];

/** Outputs of a cell as HTML. Charts are left as data for the page's script, and added to `figures`. */
export function outputsHtml(part: CodePart, { trust, figures, maths, paper = false }: { trust: boolean; figures: Figure[]; maths: Maths; paper?: boolean }): string {
  maths.place = `cell ${part.cell}`;
  return part.outputs.map((output, i) => outputHtml(output, { trust, figures, maths, paper, id: `output-${part.number}-${i + 1}`, cell: part.number })).join("\n");
}

interface Place {
  readonly trust: boolean;
  readonly figures: Figure[];
  readonly maths: Maths;
  readonly paper: boolean;
  readonly id: string;
  readonly cell: number;
}

function outputHtml(output: Output, place: Place): string {
  if (output.output_type === "stream") return `<pre class="stream ${output.name === "stderr" ? "stderr" : "stdout"}" tabindex="0">${ansiHtml(place.paper ? shortText(joined(output.text)) : joined(output.text))}</pre>`;
  if (output.output_type === "error") {
    const text = output.traceback.length > 0 ? output.traceback.join("\n") : `${output.ename}: ${output.evalue}`;
    return `<pre class="stream error" tabindex="0">${ansiHtml(text)}</pre>`;
  }
  return isDisplay(output) ? displayHtml(output, place) : "";
}

function displayHtml({ data, metadata }: Extract<Output, { data: object }>, place: Place): string {
  const { trust, figures, maths, paper, id, cell } = place;
  const control = keptControl(data);
  if (control) return controlHtml(control, id, paper, (output, own) => outputHtml(output, { ...place, id: own }));
  const figure = figureOf(data);
  const script = trust ? ["application/javascript", "text/javascript"] : [];
  const { type, content } = chosen(data, [...script, ...order].filter((each) => each !== PLOTLY || figure)) ?? {};
  if (type === undefined) return "";
  if (type === PLOTLY) return chartHtml(figure!, textOf(data["text/plain"]), figures);
  if (imageTypes.includes(type)) {
    const { width, height } = (metadata[type] ?? {}) as { width?: unknown; height?: unknown };
    const size = [["width", width], ["height", height]].map(([name, value]) => (Number(value) > 0 ? ` ${name}="${Number(value)}"` : "")).join("");
    return `<p class="image"><img src="${bundleUri(type, content)}" alt="${escapeHtml(altText(data, `Picture of cell ${cell}`))}"${size}></p>`;
  }
  const text = textOf(content);
  switch (type) {
    case "application/javascript":
    case "text/javascript":
      return `<script>${text}</script>`;
    case "text/html":
      return `<div class="html" id="${id}" tabindex="0">${trust ? text : sanitized(paper ? shortTables(text) : text, { scope: `#${id}`, headings: false, image: notEmbedded })}</div>`;
    case "text/markdown":
      return `<div class="html markdown" id="${id}">${sanitized(renderedTokens(parsed(text), maths), { scope: `#${id}`, headings: false, image: notEmbedded, trust })}</div>`;
    case "text/latex":
      return latexHtml(text, maths);
    default:
      return `<pre class="stream" tabindex="0">${ansiHtml(paper ? shortText(text) : text)}</pre>`;
  }
}

/** An output's image is in the output, or it is not in the report: an output decides on no file that a report holds. */
const notEmbedded = (source: string): { text: string } => ({ text: source === "" ? "" : `(image not embedded: ${source})` });

function chartHtml(figure: Figure, text: string, figures: Figure[]): string {
  const label = figureTitle(figure) || text || "Chart";
  const height = Number(figure.layout?.["height"]) || 450;
  figures.push(figure);
  // A ground of its own would be a slab in the dark.
  const shown = clearFigure(figure);
  return `<figure class="chart" style="min-height:${height}px" aria-label="${escapeHtml(label)}"><script type="application/json">${scriptJson(shown)}</script><noscript>${stillHtml(figure, label)}</noscript></figure>`;
}

/** A chart where no script runs: its picture where one of moderate size can be drawn, otherwise its data. */
function stillHtml(figure: Figure, label: string): string {
  const still = picture(figure);
  if (still && still.svg.length < 200_000) return `<img alt="${escapeHtml(label)}" src="data:image/svg+xml;base64,${Buffer.from(still.svg).toString("base64")}">`;
  return `<p>${escapeHtml(`${label} (a chart, which needs JavaScript)`)}</p>${dataTablesHtml(figure)}`;
}

/** Formulas drawn; what is no formula, such as a table, as its source. */
function latexHtml(text: string, maths: Maths): string {
  if (/\\begin\{(table|tabular|longtable|figure|document)\}/.test(text)) return `<pre class="stream" tabindex="0">${escapeHtml(text)}</pre>`;
  const inner = text.trim().replace(/^\$\$?|\$\$?$|^\\\[|\\\]$|^\\\(|\\\)$/g, "");
  // Text with formulas in it, rather than one formula.
  if (/\$/.test(inner.replaceAll("\\$", ""))) return `<div class="html markdown">${sanitized(renderedTokens(parsed(text), maths), {})}</div>`;
  return `<div class="html formula">${maths.html(inner, true)}</div>`;
}
