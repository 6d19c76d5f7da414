import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { KatexOptions } from "katex";
import postcss from "postcss";
import { escapeHtml } from "../../escape-html.js";
import { Equations } from "./equations.js";

const require = createRequire(import.meta.url);
/** Loaded with the first formula. */
let loaded: { renderToString(formula: string, options: KatexOptions): string } | undefined;
const katex = () => (loaded ??= require("katex") as NonNullable<typeof loaded>);

/** Formulas of one document, drawn by KaTeX: definitions hold from one to the next, as in a notebook. */
export class Maths {
  readonly equations = new Equations();
  /** Where the formula stands, for warnings: `cell 3`. */
  place = "";
  private readonly macros: Record<string, string> = {};
  private drawn = "";
  private refused = 0;

  constructor(private readonly warn: (text: string) => void = () => undefined) {}

  /** HTML, with MathML for those who do not see it; the source, and a warning, where KaTeX refuses it. */
  html(formula: string, display: boolean, ids: readonly string[] = []): string {
    const unknown = this.equations.unknown(formula);
    if (unknown !== undefined) this.warn(`${this.place}: no equation is labelled ${unknown}`);
    try {
      const html = katex().renderToString(asKatex(this.equations.resolved(formula)), {
        displayMode: display, throwOnError: true, strict: "ignore", globalGroup: true, macros: this.macros, maxSize: 100,
        trust: ({ command, url = "" }: { command: string; url?: string }) => command === "\\href" && url.startsWith("#"),
      } as KatexOptions);
      this.drawn += html;
      // MathML's annotation would repeat the source, which a reader of the text would take for text.
      const shown = withRowNumbers(html, formula).replace(/<annotation encoding="application\/x-tex">[\s\S]*?<\/annotation>/g, "");
      return ids.length > 0 ? `${ids.map((id) => `<span id="${escapeHtml(id)}">`).join("")}${shown}${"</span>".repeat(ids.length)}` : shown;
    } catch (error) {
      this.refused++;
      const message = (error as Error).message.replace(/^KaTeX parse error: /, "").replace(/\s+/g, " ");
      this.warn(`${this.place}: formula ${shortened(formula)} not drawn, its source is shown (KaTeX: ${message})`);
      return `<code class="formula" title="${escapeHtml(message)}">${escapeHtml(formula.trim())}</code>`;
    }
  }

  /** Whether KaTeX can read a formula, which is what LaTeX is asked to set; `warn` says where it cannot. */
  accepts(formula: string, display: boolean): boolean {
    const before = this.refused;
    const bare = formula.replace(/\\label\s*\{[^{}]*\}/g, "").replace(/\\(?:eq)?ref\s*\{[^{}]*\}/g, "0");
    this.html(bare, display);
    return this.refused === before;
  }

  /** KaTeX's style sheet with the fonts that were used; "" where no formula was drawn. */
  css(): string {
    return this.drawn === "" ? "" : styleSheet(this.drawn);
  }
}

/** KaTeX leaves the cells of its MathML empty in which the numbers of an environment's rows would stand. */
function withRowNumbers(html: string, formula: string): string {
  const tags = [...formula.matchAll(/\\tag(\*?)\s*\{((?:[^{}]|\{[^{}]*\})*)\}/g)].map(([, star, text]) => (star === "*" ? text! : `(${text})`));
  const empty = /(<mtd class ?="mml-eqn-num">)(<\/mtd>)/g;
  if (html.match(empty)?.length !== tags.length) return html;
  return html.replace(empty, (_, open: string, close: string) => `${open}<mtext>${escapeHtml(tags.shift()!.replace(/[${}\\]/g, ""))}</mtext>${close}`);
}

const shortened = (formula: string): string => {
  const text = formula.trim().replace(/\s+/g, " ");
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
};

/** What KaTeX does not know, in words that it knows. */
export function asKatex(formula: string): string {
  return formula
    .replace(/\n[^\S\n]*(?=\n)/g, "")
    .replace(/\\require\s*\{[^{}]*\}/g, "")
    .replace(/\\(begin|end)\{subequations\}/g, "")
    .replace(/\\(?:begin|end)\{(?:math|displaymath)\}/g, "")
    .replace(/\\(begin|end)\{flalign(\*?)\}/g, "\\$1{align$2}")
    .replace(/\\(begin|end)\{multline(\*?)\}/g, "\\$1{gather$2}")
    .replace(/\\begin\{eqnarray(\*?)\}([\s\S]*?)\\end\{eqnarray\1\}/g, (_, star: string, body: string) => `\\begin{align${star}}${body.replace(/(?<!\\)&((?:[^&\\]|\\[^\\])*?)(?<!\\)&/g, "&$1{}")}\\end{align${star}}`)
    .replace(/\\DeclareMathOperator(\*?)\s*\{?(\\[A-Za-z]+)\}?\s*\{((?:[^{}]|\{[^{}]*\})*)\}/g, "\\def$2{\\operatorname$1{$3}}")
    .replace(/\\(?:new|renew|provide)command\*?\s*(?:\{(\\[A-Za-z]+)\}|(\\[A-Za-z]+))(?=\s*[[{])/g, (_, braced?: string, bare?: string) => `\\providecommand{${braced ?? bare}}{}\\renewcommand{${braced ?? bare}}`);
}

interface Face {
  readonly family: string;
  readonly bold: boolean;
  readonly italic: boolean;
}

/** KaTeX's style sheet with the faces in it that `html` needs, as data; all of them would take 400 kB. */
function styleSheet(html: string): string {
  const file = join(dirname(require.resolve("katex/package.json")), "dist", "katex.min.css");
  const root = postcss.parse(readFileSync(file, "utf8"));
  const used = new Set([...html.matchAll(/class="([^"]*)"/g)].flatMap(([, names]) => names!.split(" ")));
  const families = new Set(["KaTeX_Main"]);
  const shapes = new Set(["KaTeX_Main//"]);
  let [bold, italic] = [false, false];
  root.walkRules((rule) => {
    if (!rule.selectors.some((selector) => [...selector.matchAll(/\.([A-Za-z][\w-]*)/g)].every(([, name]) => used.has(name!)))) return;
    const value = (name: string) => (rule.nodes.find((node) => node.type === "decl" && node.prop === name) as postcss.Declaration | undefined)?.value;
    const family = /KaTeX_\w+/.exec(value("font-family") ?? value("font") ?? "")?.[0];
    const isBold = /bold|700/.test(value("font-weight") ?? "");
    const isItalic = /italic/.test(`${value("font-style") ?? ""} ${value("font") ?? ""}`);
    if (family !== undefined) {
      families.add(family);
      shapes.add(`${family}/${isBold ? "bold" : ""}/${isItalic ? "italic" : ""}`);
    } else [bold, italic] = [bold || isBold, italic || isItalic];
  });
  root.walkAtRules("font-face", (rule) => {
    const of = (name: string) => (rule.nodes?.find((node) => node.type === "decl" && node.prop === name) as postcss.Declaration | undefined)?.value ?? "";
    const face: Face = { family: /KaTeX_\w+/.exec(of("font-family"))?.[0] ?? "", bold: /bold|700/.test(of("font-weight")), italic: of("font-style") === "italic" };
    const exact = shapes.has(`${face.family}/${face.bold ? "bold" : ""}/${face.italic ? "italic" : ""}`);
    // A rule that only makes bold or italic may meet any family.
    if (!exact && !(families.has(face.family) && (!face.bold || bold) && (!face.italic || italic))) return void rule.remove();
    const source = /url\(([^)]+\.woff2)\)/.exec(of("src"))?.[1];
    if (source === undefined) return;
    rule.walkDecls("src", (declaration) => void (declaration.value = `url(data:font/woff2;base64,${readFileSync(join(dirname(file), source)).toString("base64")}) format("woff2")`));
  });
  return root.toString();
}
