import type { MarkdownIt as Markdown, StateBlock, StateInline } from "markdown-it";

/** A formula in text: where it ends, what it is, and whether it stands by itself. */
export interface Found {
  readonly end: number;
  readonly formula: string;
  readonly display: boolean;
}

/** Environments that are formulas by themselves, as MathJax takes them. */
const environments = new Set(["equation", "align", "alignat", "flalign", "gather", "multline", "eqnarray", "math", "displaymath", "subequations", "aligned", "alignedat", "gathered", "split", "cases", "dcases", "rcases", "drcases", "array", "darray", "matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "Vmatrix", "smallmatrix", "CD"]);

/**
 * The formula that begins at `at`, as Jupyter's clients find it before they read Markdown: `$…$`, `$$…$$`, `\\(…\\)`, `\\[…\\]`
 * or an environment. `$` needs white space on both inner sides or on none, and no digit behind it, so that prices stay text.
 */
export function mathAt(source: string, at: number): Found | undefined {
  if (source[at] === "$") return source[at + 1] === "$" ? between(source, at, "$$", "$$", true) : dollar(source, at);
  if (source.startsWith("\\\\(", at)) return between(source, at, "\\\\(", "\\\\)", false);
  if (source.startsWith("\\\\[", at)) return between(source, at, "\\\\[", "\\\\]", true);
  return source.startsWith("\\begin{", at) ? environment(source, at) : undefined;
}

function between(source: string, at: number, open: string, close: string, display: boolean): Found | undefined {
  const start = at + open.length;
  for (let end = source.indexOf(close, start); end >= 0; end = source.indexOf(close, end + 1)) {
    if (open === "$$" && isEscaped(source, end)) continue;
    const formula = source.slice(start, end);
    // An empty line ends a paragraph, so that it ends no formula that began in one; a block of its own may have them.
    const isBlock = /^[^\S\n]*\n/.test(formula) && /\n[^\S\n]*$/.test(formula);
    if (formula.trim() === "" || (/\n[^\S\n]*\n/.test(formula) && !isBlock)) return undefined;
    return { end: end + close.length, formula, display };
  }
  return undefined;
}

function dollar(source: string, at: number): Found | undefined {
  const isSpaced = /\s/.test(source[at + 1] ?? " ");
  let depth = 0;
  for (let end = at + 1; end < source.length; end++) {
    const character = source[end]!;
    if (character === "\\") end++;
    else if (character === "{") depth++;
    else if (character === "}") depth--;
    else if (character === "\n" && /^\n[^\S\n]*\n/.test(source.slice(end, end + 200))) return undefined;
    else if (character === "$" && depth <= 0) {
      const formula = source.slice(at + 1, end);
      if (formula.trim() === "" || /\s/.test(source[end - 1]!) !== isSpaced || /\d/.test(source[end + 1] ?? "")) return undefined;
      return { end: end + 1, formula, display: false };
    }
  }
  return undefined;
}

function environment(source: string, at: number): Found | undefined {
  const [, name] = /^\\begin\{([A-Za-z]+\*?)\}/.exec(source.slice(at, at + 40)) ?? [];
  if (name === undefined || !environments.has(name.replace("*", ""))) return undefined;
  const mark = new RegExp(`\\\\(begin|end)\\{${name.replace("*", "\\*")}\\}`, "g");
  mark.lastIndex = at;
  for (let depth = 0, found = mark.exec(source); found; found = mark.exec(source)) {
    depth += found[1] === "begin" ? 1 : -1;
    if (depth === 0) return { end: mark.lastIndex, formula: source.slice(at, mark.lastIndex), display: name !== "math" };
  }
  return undefined;
}

const isEscaped = (source: string, at: number): boolean => (/\\+$/.exec(source.slice(Math.max(0, at - 20), at))?.[0].length ?? 0) % 2 === 1;

/** Formulas become tokens `math_inline` and `math_block`, the latter also inside a paragraph. */
export function mathRules(md: Markdown): void {
  md.inline.ruler.before("escape", "math", inline);
  md.block.ruler.before("fence", "math", block, { alt: ["paragraph", "reference", "blockquote", "list"] });
  md.core.ruler.after("normalize", "math_bars", (state) => void (state.src = barsHidden(state.src)));
  md.core.ruler.push("math_bars_back", (state) => state.tokens.forEach(barsShown));
}

function inline(state: StateInline, silent: boolean): boolean {
  const found = mathAt(state.src, state.pos);
  if (!found || found.end > state.posMax) return false;
  if (!silent) state.push(found.display ? "math_block" : "math_inline", "math", 0).content = found.formula;
  state.pos = found.end;
  return true;
}

/** A displayed formula where a line begins. What follows it on its last line is a paragraph; a full stop or comma joins the formula. */
function block(state: StateBlock, startLine: number, endLine: number, silent: boolean): boolean {
  const start = state.bMarks[startLine]! + state.tShift[startLine]!;
  if (state.sCount[startLine]! - state.blkIndent >= 4 || !/^(?:\$\$|\\begin\{|\\\\\[)/.test(state.src.slice(start, start + 7))) return false;
  const text = state.getLines(startLine, endLine, state.blkIndent, false).trimStart();
  const found = mathAt(text, 0);
  if (!found?.display) return false;
  if (silent) return true;
  const lines = text.slice(0, found.end).split("\n").length;
  const behindIt = text.slice(found.end).split("\n", 1)[0]!.trim();
  // As Quarto labels them.
  const [named, label] = /^\{#(eq-[\w.:-]+)\}/.exec(behindIt) ?? [];
  const rest = named === undefined ? behindIt : behindIt.slice(named.length).trim();
  const [, mark = "", behind = ""] = /^([.,;:])(?:\s+(.*))?$/.exec(rest) ?? [];
  const after = mark === "" ? rest : behind;
  const math = state.push("math_block", "math", 0);
  math.block = true;
  math.content = punctuated(found.formula, (label === undefined ? "" : `\\label{${label}}`) + mark);
  math.map = [startLine, startLine + lines];
  state.line = startLine + lines;
  if (after === "") return true;
  let last = state.line;
  while (last < endLine && !state.isEmpty(last) && !state.md.block.ruler.getRules("paragraph").some((rule) => rule(state, last, endLine, true))) last++;
  state.push("paragraph_open", "p", 1);
  const paragraph = state.push("inline", "", 0);
  paragraph.content = [after, ...(last > state.line ? [state.getLines(state.line, last, state.blkIndent, false).trim()] : [])].join("\n");
  paragraph.map = [state.line - 1, last];
  paragraph.children = [];
  state.push("paragraph_close", "p", -1);
  state.line = last;
  return true;
}

/** Inside the environment, where it would otherwise stand on a line of its own. */
const punctuated = (formula: string, mark: string): string => formula.trimEnd().replace(/\s*(\\end\{[A-Za-z]+\*?\})?$/, (end) => mark + end);

/** Stands for a bar in a formula while tables are read, whose cells bars part. */
const BAR = "\uFDD0";

function barsHidden(source: string): string {
  if (!source.includes("|") || !/[$\\]/.test(source)) return source;
  return source.split("\n").map((line) => {
    if (!line.includes("|")) return line;
    let out = "";
    for (let at = 0; at < line.length; ) {
      const found = line[at] === "$" || line[at] === "\\" ? mathAt(line, at) : undefined;
      if (found) out += line.slice(at, found.end).replaceAll("|", BAR);
      else out += line[at] === "\\" ? line.slice(at, at + 2) : line[at];
      at = found?.end ?? at + (line[at] === "\\" ? 2 : 1);
    }
    return out;
  }).join("\n");
}

function barsShown(token: { content: string; info: string; attrs: [string, string | number][] | null; children: unknown[] | null }): void {
  token.content = token.content.replaceAll(BAR, "|");
  token.info = token.info.replaceAll(BAR, "|");
  for (const attribute of token.attrs ?? []) if (typeof attribute[1] === "string") attribute[1] = attribute[1].replaceAll(BAR, "|").replaceAll(encodeURIComponent(BAR), "%7C");
  for (const child of token.children ?? []) barsShown(child as never);
}
