import type { Token } from "markdown-it";
import { tablesAndText } from "./html-tables.js";
import { latexCode } from "./latex-code.js";
import { latexMath } from "./latex-maths.js";
import { latexTable } from "./latex-table.js";
import { latexText, latexUrl } from "./latex-text.js";
import { inlineText } from "./markdown.js";
import { captionOf, type Caption } from "./captions.js";
import { citationText } from "./markdown.js";
import type { Maths } from "./maths.js";
import type { Reference, References } from "./references.js";

const sections = ["section", "subsection", "subsubsection", "paragraph", "subparagraph", "subparagraph"];

export interface LatexMarkdown {
  /** The path of an image that the text refers to; undefined where there is none. */
  readonly image: (source: string) => string | undefined;
  /** Tells formulas that LaTeX can set. */
  readonly maths: Maths;
  readonly references?: References;
}

/**
 * Markdown as LaTeX. The title (level 1) is left to the document; the next level is a section.
 * @param tokens of `parsed`, levels set by `outline`
 */
export function latexMarkdown(tokens: readonly Token[], context: LatexMarkdown): string {
  const out: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (token.type === "table_open") {
      const end = tokens.findIndex(({ type }, at) => at > i && type === "table_close");
      out.push(markdownTable(tokens.slice(i, end), context));
      i = end;
    } else if (token.type === "paragraph_open" && captionOf(token)) {
      out.push(`\n\n\\begin{figure}[H]\n\\centering\n${inline(tokens[i + 1]!.children ?? [], context)}\n${caption(captionOf(token)!, context)}\n\\end{figure}\n\n`);
      i += 2;
    } else if (token.type === "heading_open" && token.tag === "h1") {
      i += 2;
    } else out.push(block(token, context));
  }
  return out.join("").replace(/\n{3,}/g, "\n\n").trim();
}

function block(token: Token, context: LatexMarkdown): string {
  switch (token.type) {
    case "heading_open":
      return `\n\n\\${sections[Number(token.tag.slice(1)) - 2] ?? "section"}{`;
    case "heading_close":
      return "}\n\n";
    case "paragraph_open":
      return token.hidden ? "" : "\n\n";
    case "paragraph_close":
      return token.hidden ? "\n" : "\n\n";
    case "inline":
      return inline(token.children ?? [], context);
    case "fence":
    case "code_block":
      return `\n\n${latexCode(token.content, token.info.trim().split(/\s+/)[0] ?? "")}\n\n`;
    case "bullet_list_open":
      return "\n\n\\begin{itemize}\n";
    case "bullet_list_close":
      return "\\end{itemize}\n\n";
    case "ordered_list_open":
      return "\n\n\\begin{enumerate}\n";
    case "ordered_list_close":
      return "\\end{enumerate}\n\n";
    case "list_item_open":
      return token.meta ? `\\item[$\\${(token.meta as { task: boolean }).task ? "boxtimes" : "square"}$] ` : "\\item ";
    case "blockquote_open":
      return "\n\n\\begin{quote}\n";
    case "blockquote_close":
      return "\\end{quote}\n\n";
    case "hr":
      return "\n\n\\medskip\\hrule\\medskip\n\n";
    case "math_block":
      return `\n${latexMath(token.content, true, context.maths)}\n`;
    case "html_block":
      return `\n\n${htmlLatex(token.content, context)}\n\n`;
    default:
      return "";
  }
}

function inline(tokens: readonly Token[], context: LatexMarkdown): string {
  return tokens.map((token) => inlineToken(token, context)).join("");
}

function inlineToken(token: Token, context: LatexMarkdown): string {
  switch (token.type) {
    case "text":
      return latexText(token.content);
    case "code_inline":
      return `\\texttt{${latexText(token.content)}}`;
    case "em_open":
      return "\\emph{";
    case "strong_open":
      return "\\textbf{";
    case "s_open":
      return "\\textit{";
    case "link_open": {
      const href = String(token.attrGet("href") ?? "");
      return /^(https?|mailto):/.test(href) ? `\\href{${latexUrl(href)}}{` : "{";
    }
    case "em_close":
    case "strong_close":
    case "s_close":
    case "link_close":
      return "}";
    case "softbreak":
      return "\n";
    case "hardbreak":
      return BREAK;
    case "math_inline":
      return latexMath(token.content, false, context.maths);
    case "math_block":
      return latexMath(token.content, true, context.maths);
    case "cross_reference":
      return referenceLatex((token.meta as { label: string }).label, token.content, context);
    case "citation":
      return citationLatex(token, context);
    case "image":
      return picture(context.image(String(token.attrGet("src"))), inlineText(token));
    case "html_inline":
      return token.meta ? "" : /^<br/i.test(token.content) ? BREAK : /^<img/i.test(token.content) ? htmlLatex(token.content, context) : styled(token.content);
    default:
      return "";
  }
}

function caption({ label, words }: Caption, context: LatexMarkdown): string {
  return `\\caption{${inline(words, context)}}${label === undefined ? "" : `\\label{${label}}`}`;
}

const kinds: Readonly<Record<string, string>> = { fig: "Figure~\\ref", tbl: "Table~\\ref", eq: "Equation~\\eqref" };

function referenceLatex(label: string, content: string, { references, maths }: LatexMarkdown): string {
  const isKnown = references?.name(label, maths.place) !== undefined;
  return isKnown ? `${kinds[label.split("-")[0]!]}{${label}}` : latexText(content);
}

/** natbib's commands; each work of several may have words before and after it. */
function citationLatex({ meta, content }: Token, { references, maths }: LatexMarkdown): string {
  const reference = meta as Reference;
  if (!("cited" in reference) || citationText(reference, references, maths.place) === undefined) return latexText(content);
  const { cited, isText } = reference;
  const [first, ...others] = cited.map(({ key, prefix, suffix }) => ({ key, words: prefix || suffix ? `[${latexText(prefix ?? "")}][${latexText(suffix ?? "")}]` : "" }));
  if (isText) return `\\citet{${first!.key}}`;
  if (others.length === 0) return `\\citep${first!.words}{${first!.key}}`;
  return `\\citetext{${[first!, ...others].map(({ key, words }) => `\\citealp${words}{${key}}`).join("; ")}}`;
}

/** Ends a line, also one with nothing on it. */
const BREAK = "\\leavevmode\\\\\n";

const styles: Readonly<Record<string, string>> = { b: "\\textbf", strong: "\\textbf", i: "\\emph", em: "\\emph", u: "\\underline", code: "\\texttt", kbd: "\\texttt", tt: "\\texttt", sup: "\\textsuperscript", sub: "\\textsubscript" };

/** Elements that are only looks, opened and closed. */
function styled(html: string): string {
  const [, end, name] = /^<(\/?)([a-z]+)\s*>$/i.exec(html) ?? [];
  const style = name === undefined ? undefined : styles[name.toLowerCase()];
  return style === undefined ? "" : end === "/" ? "}" : `${style}{`;
}

/** A picture as wide as it is, or as the text. */
export function picture(path: string | undefined, alt: string): string {
  if (path === undefined) return alt === "" ? "" : `\\emph{${latexText(alt)}}`;
  return `\\begin{center}\n\\includegraphics[max width=\\linewidth,max height=0.8\\textheight]{\\detokenize{${path}}}\n\\end{center}`;
}

function htmlLatex(html: string, context: LatexMarkdown): string {
  const images = [...html.matchAll(/<img\b[^>]*?\bsrc\s*=\s*["']([^"']+)["']/gi)].map(([tag, source]) => picture(context.image(source!), /\balt\s*=\s*["']([^"']*)["']/i.exec(tag)?.[1] ?? ""));
  return [...images, ...tablesAndText(html).map((part) => (typeof part === "string" ? latexText(part) : latexTable(part)))].join("\n\n");
}

/** A table with its caption above it. @param caption with its label */
export function captionedTable(table: string, caption: string): string {
  const long = /\\begin\{longtable\}\{[^}]*\}\n/.exec(table);
  if (long) return `${table.slice(0, long.index + long[0].length)}${caption}\\\\\n${table.slice(long.index + long[0].length)}`;
  return `\\begin{table}[H]\n\\centering\n${caption}\n${table}\n\\end{table}`;
}

/** In a table, a line's end would be its row's. */
const cell = (text: string): string => (text.includes(BREAK) ? `\\begin{tabular}[t]{@{}l@{}}${text.replaceAll(BREAK, "\\\\ ")}\\end{tabular}` : text.replace(/\s*\n\s*/g, " "));

function markdownTable(tokens: readonly Token[], context: LatexMarkdown): string {
  const rows: string[][] = [];
  const sides: ("left" | "right" | "center")[] = [];
  let heads = 0;
  for (const token of tokens) {
    if (token.type === "tr_open") rows.push([]);
    if (token.type === "inline") rows.at(-1)?.push(cell(inline(token.children ?? [], context)));
    if (token.type === "th_open") {
      heads = rows.length;
      sides.push((/text-align:(left|right|center)/.exec(String(token.attrGet("style") ?? ""))?.[1] as "left" | undefined) ?? "left");
    }
  }
  const table = latexTable({ caption: "", head: rows.slice(0, heads).at(-1) ?? [], rows: rows.slice(heads) }, { sides, isLatex: true });
  const words = captionOf(tokens[0]!);
  return `\n\n${words ? captionedTable(table, caption(words, context)) : table}\n\n`;
}
