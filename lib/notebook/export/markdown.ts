import { createRequire } from "node:module";
import MarkdownIt, { type MarkdownIt as Markdown, type Token } from "markdown-it";
import { escapeHtml } from "../../escape-html.js";
import { highlighted } from "./highlight.js";

export type { Token } from "markdown-it";

// A CommonJS package whose declarations promise a default export that ES modules do not get.
const katex = createRequire(import.meta.url)("@vscode/markdown-it-katex") as { default: (md: Markdown, options: object) => void };

/** Markdown as Jupyter reads it: HTML, tables, links, maths between $ and $$ or as a bare environment. Maths becomes MathML, which needs no fonts. */
export const markdown: Markdown = new MarkdownIt({
  html: true,
  linkify: true,
  highlight: (code, language) => (language === "" ? escapeHtml(code) : highlighted(code, language)),
});
markdown.use(katex.default, { output: "mathml", throwOnError: false, strict: "ignore", enableBareBlocks: true });
// Names such as cache.py are no links.
markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false });

export const parsed = (source: string): Token[] => markdown.parse(source, {});

export const renderedTokens = (tokens: Token[]): string => markdown.renderer.render(tokens, markdown.options, {});

/** The text of an inline token, without its markup. */
export function inlineText(token: Token | undefined): string {
  return (token?.children ?? []).map((child) => (child.type === "softbreak" || child.type === "hardbreak" ? " " : child.type === "image" ? inlineText(child) : child.type === "html_inline" ? "" : child.content)).join("");
}
