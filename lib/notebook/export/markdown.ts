import MarkdownIt, { type MarkdownIt as Markdown, type Token } from "markdown-it";
import { escapeHtml } from "../../escape-html.js";
import { highlighted } from "./highlight.js";
import { captionOf, captionRules } from "./captions.js";
import { mathRules } from "./math-rules.js";
import { equationId } from "./equations.js";
import { Maths } from "./maths.js";
import { noteRules } from "./notes.js";
import { workId } from "./bibliography.js";
import { type Reference, referenceRules, type References } from "./references.js";

/** Markdown as Jupyter reads it: HTML, tables, links, maths, and the task lists and alerts of code hosts. */
const markdown: Markdown = new MarkdownIt({
  html: true,
  linkify: true,
  highlight: (code, language) => (language === "" ? escapeHtml(code) : highlighted(code, language)),
});
markdown.use(mathRules).use(noteRules).use(referenceRules).use(captionRules);
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

interface Env {
  readonly maths?: Maths;
  readonly references?: References;
  /** Names of captions, by the tokens that have them. */
  readonly captions?: ReadonlyMap<Token, string>;
}

markdown.renderer.rules["cross_reference"] = (tokens, at, _, env) => {
  const { content, meta } = tokens[at]!;
  const { label } = meta as { label: string };
  const { references, maths } = (env ?? {}) as Env;
  const name = references?.name(label, maths?.place ?? "");
  return name === undefined ? escapeHtml(content) : `<a href="#${escapeHtml(label.startsWith("eq-") ? equationId(label) : label)}">${escapeHtml(name)}</a>`;
};
markdown.renderer.rules["citation"] = (tokens, at, _, env) => {
  const { content, meta } = tokens[at]!;
  const text = citationText(meta as Reference, ((env ?? {}) as Env).references, ((env ?? {}) as Env).maths?.place ?? "");
  return text === undefined ? escapeHtml(content) : `<a href="#${workId((meta as { cited: { key: string }[] }).cited[0]!.key)}">${escapeHtml(text)}</a>`;
};
const named = (tag: string) => (tokens: Token[], at: number, _: unknown, env?: object): string => {
  const caption = captionOf(tokens[at]!);
  const name = ((env ?? {}) as Env).captions?.get(tokens[at]!);
  if (!caption || name === undefined) return `<${tag}>`;
  const words = markdown.renderer.renderInline(caption.words, markdown.options, env as never);
  const id = caption.label === undefined ? "" : ` id="${escapeHtml(caption.label)}"`;
  return tag === "table" ? `<table${id}>\n<caption><b>${name}:</b> ${words}</caption>\n` : `<p class="figure"${id} data-name="${name}">`;
};
const plain = { table: markdown.renderer.rules["table_open"], paragraph: markdown.renderer.rules["paragraph_open"] };
for (const [type, tag] of [["table", "table"], ["paragraph", "p"]] as const) {
  markdown.renderer.rules[`${type}_open`] = (tokens, at, options, env, self) => (captionOf(tokens[at]!) ? named(tag)(tokens, at, options, env as object) : (plain[type]?.(tokens, at, options, env, self) ?? self.renderToken(tokens, at, options)));
}
markdown.renderer.rules["paragraph_close"] = (tokens, at, options, env, self) => {
  const open = tokens.slice(0, at).findLast(({ type, level }) => type === "paragraph_open" && level === tokens[at]!.level);
  const caption = open && captionOf(open);
  const name = open && ((env ?? {}) as Env).captions?.get(open);
  return caption && name !== undefined ? `<br><span class="caption"><b>${name}:</b> ${markdown.renderer.renderInline(caption.words, markdown.options, env as never)}</span></p>\n` : self.renderToken(tokens, at, options);
};

/** What a citation reads as; undefined where it is none. @param place for the warning of a work that the bibliography does not have */
export function citationText(meta: Reference, references: References | undefined, place: string): string | undefined {
  const { bibliography } = references ?? {};
  if (!("cited" in meta) || !bibliography) return undefined;
  const unknown = meta.cited.filter(({ key }) => !bibliography.has(key));
  // A name behind an at sign may be anything; in brackets it is meant for a work.
  if (unknown.length > 0 && !meta.isText) references!.missing(unknown.map(({ key }) => key), place);
  return unknown.length > 0 ? undefined : bibliography.text(meta.cited, meta.isText);
}

export const parsed = (source: string): Token[] => markdown.parse(source, {});

/** @param maths draws the formulas, of a whole document with one */
export const renderedTokens = (tokens: Token[], maths: Maths, env: Pick<Env, "references" | "captions"> = {}): string => markdown.renderer.render(tokens, markdown.options, { maths, ...env } as never);

/** The text of an inline token, without its markup. */
export function inlineText(token: Token | undefined): string {
  return (token?.children ?? []).map((child) => (child.type === "softbreak" || child.type === "hardbreak" ? " " : child.type === "image" ? inlineText(child) : child.type === "html_inline" ? "" : child.content)).join("");
}
