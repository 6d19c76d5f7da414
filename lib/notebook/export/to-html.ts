import type { Token } from "markdown-it";
import type { Notebook } from "../types.js";
import { library, needsEval, scriptHash } from "./charts.js";
import { type CodePart, type MarkdownPart, type Part, parts, type RawPart } from "./document.js";
import { type Heading, outline } from "./headings.js";
import { highlighted } from "./highlight.js";
import { outputsHtml } from "./html-outputs.js";
import { dataUri, isRemote, localImage } from "./images.js";
import { parsed, renderedTokens } from "./markdown.js";
import { Maths } from "./maths.js";
import type { Figure } from "./mime.js";
import { workId } from "./bibliography.js";
import { kindOfCell, numbering } from "./numbering.js";
import type { RenderOptions } from "./options.js";
import { References } from "./references.js";
import { pageScript } from "./page-script.js";
import { pageStyle } from "./page-style.js";
import { sanitized } from "./sanitize.js";
import { escapeHtml } from "../../escape-html.js";

/** A notebook's parts as HTML, and what a page needs to show them. */
export interface Rendered {
  readonly title: string;
  /** The notebook's own title, where it has one. */
  readonly heading: string | undefined;
  readonly headings: readonly Heading[];
  readonly parts: readonly { readonly part: Part; readonly tokens: readonly Token[]; readonly html: string }[];
  /** The works that were cited; "" where none were. */
  readonly works: string;
  readonly figures: readonly Figure[];
  readonly mathStyle: string;
}

export type PageOptions = RenderOptions & {
  /** For printing: what is too long for paper is shortened. */
  readonly paper?: boolean;
};

/** Renders all parts in order: numbers, definitions of formulas and citations go from one to the next. */
export function rendered(notebook: Notebook, options: PageOptions): Rendered {
  const { name, template = "report", trust = false, paper = false } = options;
  const all = parts(notebook, options);
  const tokens = new Map<Part, Token[]>(all.filter(({ kind }) => kind === "markdown").map((part) => [part, parsed(part.source)]));
  const { title, headings } = outline([...tokens.values()]);
  const figures: Figure[] = [];
  const maths = new Maths(options.warn);
  for (const each of tokens.values()) maths.equations.number(each);
  const references = new References(maths.equations, options.works, options.warn);
  const numbers = numbering(all, tokens, references);
  const language = notebook.metadata.language_info?.name ?? notebook.metadata.kernelspec?.language ?? "";
  const shown = all.map((part) => {
    const own = tokens.get(part) ?? [];
    if (part.kind === "markdown") return { part, tokens: own, html: markdownHtml(part, own, { maths, references, captions: numbers.captions }, options) };
    if (part.kind === "raw") return { part, tokens: own, html: rawHtml(part, trust) };
    return { part, tokens: own, html: codeHtml(part, { language, trust, figures, maths, paper, counted: template === "report", name: numbers.cells.get(part) }) };
  });
  const entries = options.works?.entries() ?? [];
  const works = entries.length === 0 ? "" : `<section class="markdown works">\n${/^(references|bibliography)$/i.test(headings.at(-1)?.text ?? "") ? "" : "<h2>References</h2>\n"}${entries.map(({ key, html }) => `<p id="${workId(key)}">${sanitized(html, {})}</p>`).join("\n")}\n</section>`;
  return { title: notebook.metadata.title ?? title ?? name, heading: title, headings, parts: shown, works, figures, mathStyle: maths.css() };
}

/**
 * A notebook as one HTML page that needs no network. Unless `trust` is set, nothing that the notebook brought runs:
 * its HTML is sanitised, and the page's content security policy allows the page's own two scripts alone.
 */
export function toHtml(notebook: Notebook, options: PageOptions): string {
  const { name } = options;
  const { title, heading, headings, parts: shown, works, figures, mathStyle } = rendered(notebook, options);
  const own = notebook.metadata.title;
  const named = heading !== undefined ? "" : own === undefined ? `<h1 class="name">${escapeHtml(name)}</h1>\n` : `<h1>${escapeHtml(own)}</h1>\n`;
  const contents = tableOfContents(headings);
  const fold = shown.some(({ part }) => part.kind === "code" && part.input !== "removed") ? `<button type="button" data-do="fold" hidden>Hide code</button>` : "";
  return `${pageHead({ title, figures, mathStyle }, options, [pageScript], [pageStyle])}
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="bar"><span>${escapeHtml(title)}</span>${fold}<button type="button" data-do="theme" hidden>Dark</button></header>
<div class="page${contents && " with-toc"}">
${contents}<main id="content">
${named}${[...shown.map(({ html }) => html), works].filter(Boolean).join("\n")}
</main>
</div>
${plotlyData(figures)}<script>${pageScript}</script>
</body>
</html>
`;
}

/** Plotly for the page's script, where there is a chart. */
export const plotlyData = (figures: readonly Figure[]): string => (figures.length > 0 ? `<script type="text/plain" id="plotly-library">${library().packed}</script>\n` : "");

/** What stands before a page's body. @param scripts the page's own, which its content security policy allows @param styles one element each */
export function pageHead({ title, figures, mathStyle }: Pick<Rendered, "title" | "figures" | "mathStyle">, { css = "", trust = false }: PageOptions, scripts: readonly string[], styles: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">${trust ? "" : `\n<meta http-equiv="Content-Security-Policy" content="${policy(scripts, figures, mathStyle !== "")}">`}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
${styles.map((style) => `<style>${style}</style>`).join("\n")}${mathStyle === "" ? "" : `\n<style>${mathStyle}</style>`}${css === "" ? "" : `\n<style>${css.replaceAll("</", "<\\/")}</style>`}
</head>`;
}

/** What the page may load and run: the images and styles in it, its scripts, and Plotly where there is a chart. */
function policy(own: readonly string[], figures: readonly Figure[], hasMaths: boolean): string {
  const scripts = [...own.map(scriptHash), ...(figures.length > 0 ? [library().hash] : []), ...(figures.some(needsEval) ? ["'unsafe-eval'"] : [])];
  return `default-src 'none'; base-uri 'none'; form-action 'none'; img-src data: blob:; media-src data:;${hasMaths ? " font-src data:;" : ""} style-src 'unsafe-inline'; script-src ${scripts.join(" ")}`;
}

interface MarkdownContext {
  readonly maths: Maths;
  readonly references: References;
  readonly captions: ReadonlyMap<Token, string>;
}

function markdownHtml({ attachments, cell }: MarkdownPart, tokens: Token[], { maths, ...env }: MarkdownContext, { folder, trust = false, warn }: RenderOptions): string {
  const image = (source: string): { src: string } | { text: string } => {
    const found = isRemote(source) ? "on the network" : localImage(source, attachments, folder);
    if (typeof found !== "string") return { src: dataUri(found) };
    warn?.(`image: ${source} (${found}; not in the report)`);
    return { text: `(image not embedded: ${source})` };
  };
  maths.place = `cell ${cell}`;
  return `<section class="markdown">\n${sanitized(renderedTokens(tokens, maths, env), { image, trust })}</section>`;
}

function rawHtml({ source, format }: RawPart, trust: boolean): string {
  if (format === "text/html" || format === "html") return trust ? source : `<div class="html">${sanitized(source, {})}</div>`;
  return format === "" && source.trim() !== "" ? `<pre tabindex="0">${escapeHtml(source)}</pre>` : "";
}

interface CodeContext {
  readonly language: string;
  readonly trust: boolean;
  readonly figures: Figure[];
  readonly maths: Maths;
  readonly paper: boolean;
  readonly counted: boolean;
  /** `Table 1`, where the cell's output has a caption. */
  readonly name: string | undefined;
}

function codeHtml(part: CodePart, { language, trust, figures, maths, paper, counted, name }: CodeContext): string {
  const count = counted && part.count !== null ? ` [${part.count}]` : "";
  const input = part.input === "removed" ? "" : disclosure("input", part.input === "shown", `Code${count}`, `<pre tabindex="0"><code>${highlighted(part.source.trimEnd(), language)}</code></pre>`);
  const outputs = part.output === "removed" ? "" : outputsHtml(part, { trust, figures, maths, paper });
  const shown = outputs === "" || name === undefined ? outputs : captioned(outputs, part, name, maths);
  const output = shown === "" ? "" : part.output === "folded" ? disclosure("output", false, `Output${count}`, shown) : `<div class="output">${shown}</div>`;
  return input + output === "" ? "" : `<div class="cell">\n${input}${output}</div>`;
}

/** Outputs with their caption: of a table above it, of a figure below. */
function captioned(outputs: string, part: CodePart, name: string, maths: Maths): string {
  const { label, caption = "" } = part.options;
  const words = caption === "" ? "" : `: ${sanitized(renderedTokens(parsed(caption), maths).trim().replace(/^<p>|<\/p>$/g, ""), {})}`;
  const line = `<figcaption><b>${name}</b>${words}</figcaption>`;
  const isTable = kindOfCell(part) === "tbl";
  return `<figure class="captioned"${label === undefined ? "" : ` id="${escapeHtml(label)}"`}>${isTable ? line : ""}${outputs}${isTable ? "" : line}</figure>`;
}

const disclosure = (kind: string, open: boolean, name: string, content: string): string => `<details class="${kind}"${open ? " open" : ""}><summary>${name}</summary>${content}</details>\n`;

/** Two levels below the title; none where there is little to choose from. */
function tableOfContents(headings: readonly Heading[]): string {
  const entries = headings.filter(({ level }) => level === 2 || level === 3);
  if (entries.length < 3) return "";
  const items = entries.map(({ level, text, id }) => `<li class="l${level}"><a href="#${escapeHtml(id)}">${escapeHtml(text)}</a></li>`);
  return `<nav class="toc" aria-label="Contents"><details open><summary>Contents</summary><ul>\n${items.join("\n")}\n</ul></details></nav>\n`;
}
