import type { Notebook } from "../types.js";
import { library, needsEval, scriptHash } from "./charts.js";
import { type CodePart, type MarkdownPart, type Part, parts, type RawPart } from "./document.js";
import { type Heading, outline } from "./headings.js";
import { highlighted } from "./highlight.js";
import { outputsHtml } from "./html-outputs.js";
import { dataUri, isRemote, localImage } from "./images.js";
import { parsed, renderedTokens, type Token } from "./markdown.js";
import { Maths } from "./maths.js";
import type { Figure } from "./mime.js";
import type { ExportOptions } from "./options.js";
import { pageScript } from "./page-script.js";
import { pageStyle } from "./page-style.js";
import { sanitized } from "./sanitize.js";
import { escapeHtml } from "../../escape-html.js";

/**
 * A notebook as one HTML page that needs no network. Unless `trust` is set, nothing that the notebook brought runs:
 * its HTML is sanitised, and the page's content security policy allows the page's own two scripts alone.
 */
export function toHtml(notebook: Notebook, options: ExportOptions & { /** For printing: what is too long for paper is shortened. */ readonly paper?: boolean }): string {
  const { name, template = "report", css = "", trust = false } = options;
  const all = parts(notebook, options);
  const tokens = new Map<Part, Token[]>(all.filter(({ kind }) => kind === "markdown").map((part) => [part, parsed(part.source)]));
  const { title, headings } = outline([...tokens.values()]);
  const figures: Figure[] = [];
  const maths = new Maths(options.warn);
  for (const each of tokens.values()) maths.equations.number(each);
  const language = notebook.metadata.language_info?.name ?? notebook.metadata.kernelspec?.language ?? "";
  const body = all.map((part) => {
    if (part.kind === "markdown") return markdownHtml(part, tokens.get(part)!, maths, options);
    if (part.kind === "raw") return rawHtml(part, trust);
    return codeHtml(part, { language, trust, figures, maths, paper: options.paper === true, counted: template === "report" });
  });
  const heading = title === undefined ? `<h1 class="name">${escapeHtml(name)}</h1>\n` : "";
  const mathStyle = maths.css();
  const pageTitle = notebook.metadata.title ?? title ?? name;
  const contents = tableOfContents(headings);
  const packed = figures.length > 0 ? `<script type="text/plain" id="plotly-library">${library().packed}</script>\n` : "";
  const fold = all.some((part) => part.kind === "code" && part.input !== "removed") ? `<button type="button" data-do="fold" hidden>Hide code</button>` : "";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">${trust ? "" : `\n<meta http-equiv="Content-Security-Policy" content="${policy(figures, mathStyle !== "")}">`}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(pageTitle)}</title>
<style>${pageStyle}</style>${mathStyle === "" ? "" : `\n<style>${mathStyle}</style>`}${css === "" ? "" : `\n<style>${css.replaceAll("</", "<\\/")}</style>`}
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="bar"><span>${escapeHtml(pageTitle)}</span>${fold}<button type="button" data-do="theme" hidden>Dark</button></header>
<div class="page${contents && " with-toc"}">
${contents}<main id="content">
${heading}${body.filter(Boolean).join("\n")}
</main>
</div>
${packed}<script>${pageScript}</script>
</body>
</html>
`;
}

/** What the page may load and run: the images and styles in it, its script, and Plotly where there is a chart. */
function policy(figures: readonly Figure[], hasMaths: boolean): string {
  const scripts = [scriptHash(pageScript), ...(figures.length > 0 ? [library().hash] : []), ...(figures.some(needsEval) ? ["'unsafe-eval'"] : [])];
  return `default-src 'none'; base-uri 'none'; form-action 'none'; img-src data: blob:; media-src data:;${hasMaths ? " font-src data:;" : ""} style-src 'unsafe-inline'; script-src ${scripts.join(" ")}`;
}

function markdownHtml({ attachments, cell }: MarkdownPart, tokens: Token[], maths: Maths, { folder, trust = false, warn }: ExportOptions): string {
  const image = (source: string): { src: string } | { text: string } => {
    const found = isRemote(source) ? "on the network" : localImage(source, attachments, folder);
    if (typeof found !== "string") return { src: dataUri(found) };
    warn?.(`image: ${source} (${found}; not in the report)`);
    return { text: `(image not embedded: ${source})` };
  };
  maths.place = `cell ${cell}`;
  return `<section class="markdown">\n${sanitized(renderedTokens(tokens, maths), { image, trust })}</section>`;
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
}

function codeHtml(part: CodePart, { language, trust, figures, maths, paper, counted }: CodeContext): string {
  const count = counted && part.count !== null ? ` [${part.count}]` : "";
  const input = part.input === "removed" ? "" : disclosure("input", part.input === "shown", `Code${count}`, `<pre tabindex="0"><code>${highlighted(part.source.trimEnd(), language)}</code></pre>`);
  const shown = part.output === "removed" ? "" : outputsHtml(part, { trust, figures, maths, paper });
  const output = shown === "" ? "" : part.output === "folded" ? disclosure("output", false, `Output${count}`, shown) : `<div class="output">${shown}</div>`;
  return input + output === "" ? "" : `<div class="cell">\n${input}${output}</div>`;
}

const disclosure = (kind: string, open: boolean, name: string, content: string): string => `<details class="${kind}"${open ? " open" : ""}><summary>${name}</summary>${content}</details>\n`;

/** Two levels below the title; none where there is little to choose from. */
function tableOfContents(headings: readonly Heading[]): string {
  const entries = headings.filter(({ level }) => level === 2 || level === 3);
  if (entries.length < 3) return "";
  const items = entries.map(({ level, text, id }) => `<li class="l${level}"><a href="#${escapeHtml(id)}">${escapeHtml(text)}</a></li>`);
  return `<nav class="toc" aria-label="Contents"><details open><summary>Contents</summary><ul>\n${items.join("\n")}\n</ul></details></nav>\n`;
}
