import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { escapeHtml } from "../../escape-html.js";
import type { JsonObject } from "../../jupyter/messages.js";
import type { Notebook } from "../types.js";
import { pageScript } from "./page-script.js";
import { pageStyle } from "./page-style.js";
import { type PageOptions, pageHead, plotlyData, type Rendered, rendered } from "./to-html.js";

/** What a cell is on slides, as JupyterLab's property inspector sets it. */
type SlideType = "slide" | "subslide" | "fragment" | "skip" | "notes" | "-";

const file = (name: string): string => readFileSync(join(dirname(createRequire(import.meta.url).resolve("reveal.js")), name), "utf8").replaceAll("</script", "<\\/script");

const style = `
.reveal{font-size:26px;line-height:1.4}.reveal .slides{text-align:left}.reveal .slides>section,.reveal .slides>section>section{padding:20px 10px;max-height:700px;overflow-y:auto}
.reveal h1{font-size:1.9em}.reveal h2{font-size:1.4em;border:0}.reveal h1,.reveal h2,.reveal h3{margin:.2em 0 .5em}.reveal pre{font-size:.6em}.reveal table{font-size:.65em}.reveal .cell{margin:.4em 0}.reveal details>summary{display:none}
.reveal .chart{margin:.2em 0}.reveal aside.notes{display:none}.reveal .progress,.reveal .controls{color:var(--link)}.reveal .slide-number{color:var(--soft);background:none;right:auto;left:8px}
.slides .bar{position:fixed;top:0;right:0;left:auto;border:0;background:none;z-index:40}body.slides .reveal{color:var(--fg);background:var(--bg)}
body.slides{height:100vh;overflow:hidden}`;

const start = `Reveal.initialize({ hash: true, slideNumber: "c/t", center: false, width: 1120, height: 720, margin: 0.04, transition: "none" });
Reveal.on("slidechanged", () => window.dispatchEvent(new Event("resize")));`;

/**
 * A notebook as slides in one HTML file: by the slide types of its cells where it has any, else a slide for each heading of the first
 * two levels. Arrow keys and Space go on, O shows all of them.
 */
export function toSlides(notebook: Notebook, options: PageOptions): string {
  const page = rendered(notebook, options);
  const { title, figures, works } = page;
  const types = new Map(notebook.cells.map((cell, at) => [at + 1, ((cell.metadata["slideshow"] as JsonObject | undefined)?.["slide_type"] ?? "-") as SlideType]));
  const isTyped = [...types.values()].some((type) => type !== "-");
  const slides = isTyped ? byType(page, types) : byHeading(page);
  if (page.heading === undefined) slides.unshift([`<h1>${escapeHtml(title)}</h1>`]);
  if (works !== "") slides.push([asDivs(works)]);
  const shown = slides.filter((slide) => slide.some((html) => html.trim() !== ""));
  const sections = (shown.length > 0 ? shown : [[`<h1>${escapeHtml(title)}</h1>`]]).map((slide) => (slide.length === 1 ? `<section>${slide[0]}</section>` : `<section>${slide.map((html) => `<section>${html}</section>`).join("\n")}</section>`));
  const reveal = file("reveal.js");
  return `${pageHead(page, options, [reveal, start, pageScript], [file("reveal.css"), `${pageStyle}${style}`])}
<body class="slides">
<header class="bar" hidden><button type="button" data-do="theme" hidden>Dark</button></header>
<div class="reveal"><div class="slides">
${sections.join("\n")}
</div></div>
<script>${reveal}</script>
<script>${start}</script>
${plotlyData(figures)}<script>${pageScript}</script>
</body>
</html>
`;
}

/** Slides as lists of their slides below each other. */
type Slides = string[][];

function byType({ parts }: Rendered, types: ReadonlyMap<number, SlideType>): Slides {
  const slides: Slides = [];
  const append = (html: string): void => {
    if (slides.length === 0) slides.push([""]);
    const last = slides.at(-1)!;
    last[last.length - 1] += `\n${html}`;
  };
  for (const { part, html } of parts) {
    const type = part.kind === "raw" ? "-" : (types.get(part.cell) ?? "-");
    if (type === "skip") continue;
    if (type === "slide" || slides.length === 0) slides.push([""]);
    else if (type === "subslide") slides.at(-1)!.push("");
    const own = asDivs(html);
    append(type === "fragment" ? `<div class="fragment">${own}</div>` : type === "notes" ? `<aside class="notes">${own}</aside>` : own);
  }
  return slides;
}

/** A heading of level 1 or 2 begins a slide, also in the middle of a cell. */
function byHeading({ parts }: Rendered): Slides {
  const slides: Slides = [[""]];
  for (const { part, html } of parts) {
    const pieces = part.kind === "markdown" ? inside(html).split(/(?=<h[12] id=)/) : [html];
    for (const piece of pieces) {
      if (/^<h[12] id=/.test(piece)) slides.push([""]);
      slides.at(-1)![0] += part.kind === "markdown" ? `\n<div class="markdown">${piece}</div>` : `\n${asDivs(piece)}`;
    }
  }
  return slides;
}

const inside = (html: string): string => asDivs(html.replace(/^<section class="markdown">\n?|<\/section>\s*$/g, ""));

/** On slides a section is a slide, so that none may be within one. */
function asDivs(html: string): string {
  return html.replace(/<(\/?)section\b/g, "<$1div");
}
