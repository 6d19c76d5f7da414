import MarkdownIt, { type MarkdownIt as Markdown, type Token } from "markdown-it";
import { escapeHtml } from "../../escape-html.js";
import { highlighted } from "./highlight.js";
import { mathRules } from "./math-rules.js";
import { Maths } from "./maths.js";
import { noteRules } from "./notes.js";

export type { Token } from "markdown-it";

/** Markdown as Jupyter reads it: HTML, tables, links, maths, and the task lists and alerts of code hosts. */
const markdown: Markdown = new MarkdownIt({
  html: true,
  linkify: true,
  highlight: (code, language) => (language === "" ? escapeHtml(code) : highlighted(code, language)),
});
markdown.use(mathRules).use(noteRules);
// Names such as cache.py are no links.
markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
const formula = (display: boolean) => (tokens: Token[], at: number, _: unknown, env?: object) => {
  const { content, meta, block } = tokens[at]!;
  const maths = (env as { maths?: Maths } | undefined)?.maths ?? new Maths();
  const html = maths.html(content, display, (meta as { ids?: string[] } | null)?.ids);
  return display && block ? `<div class="formula">${html}</div>\n` : html;
};
markdown.renderer.rules["math_inline"] = formula(false);
markdown.renderer.rules["math_block"] = formula(true);

export const parsed = (source: string): Token[] => markdown.parse(source, {});

/** @param maths draws the formulas, of a whole document with one */
export const renderedTokens = (tokens: Token[], maths: Maths): string => markdown.renderer.render(tokens, markdown.options, { maths });

/** The text of an inline token, without its markup. */
export function inlineText(token: Token | undefined): string {
  return (token?.children ?? []).map((child) => (child.type === "softbreak" || child.type === "hardbreak" ? " " : child.type === "image" ? inlineText(child) : child.type === "html_inline" ? "" : child.content)).join("");
}
