import { latexText } from "./latex-text.js";
import type { Maths } from "./maths.js";

/** A formula in text, or displayed, with what it defines in front of it, where it holds for all that follows. */
export function latexMath(formula: string, display: boolean, maths: Maths): string {
  if (!maths.accepts(formula, display)) return `\\texttt{${latexText(formula.trim().replace(/\s+/g, " "))}}`;
  const { definitions, rest } = apart(formula.replace(/\\require\s*\{[^{}]*\}/g, "").replace(/\n[^\S\n]*(?=\n)/g, ""));
  const math = rest.trim() === "" ? "" : display ? displayMath(rest) : `$${rest.trim()}$`;
  return definitions.length === 0 ? math : `${definitions.map((each) => `${each}%\n`).join("")}${math}`;
}

/** A displayed formula. An environment that is one by itself stands as it is; one with a label has a number. */
export function displayMath(formula: string): string {
  const text = formula.trim();
  if (/^\\begin\{(align|alignat|flalign|equation|gather|multline|eqnarray|displaymath|math|subequations)\*?\}/.test(text)) return text;
  return /\\label\s*\{/.test(text) ? `\\begin{equation}\n${text}\n\\end{equation}` : `\\[\n${text}\n\\]`;
}

/**
 * What a formula defines (`\newcommand`, `\def`, `\DeclareMathOperator`), and the formula without it: in LaTeX a definition ends with
 * its formula, in a notebook it goes on, and may be made again.
 */
function apart(formula: string): { definitions: string[]; rest: string } {
  const definitions: string[] = [];
  let rest = formula;
  for (let from = 0; ; ) {
    const found = /\\(newcommand|renewcommand|providecommand|def|DeclareMathOperator)(\*?)\s*(?:\{(\\[A-Za-z]+)\}|(\\[A-Za-z]+))((?:\s*\[[^\]]*\])*|[^{\\]*)\s*\{/.exec(rest.slice(from));
    if (!found) return { definitions, rest };
    const [head, command, star, braced, bare, parameters] = found as unknown as string[];
    const start = from + found.index;
    const end = closing(rest, start + head!.length);
    if (end < 0) return { definitions, rest };
    const name = braced ?? bare!;
    const body = rest.slice(start + head!.length, end);
    definitions.push(
      command === "def" ? `\\def${name}${parameters!.trim()}{${body}}`
      : command === "DeclareMathOperator" ? `\\def${name}{\\operatorname${star}{${body}}}`
      : `\\providecommand{${name}}{}\\renewcommand{${name}}${parameters!.trim()}{${body}}`,
    );
    rest = rest.slice(0, start) + rest.slice(end + 1);
    from = start;
  }
}

/** Where the brace closes that opened before `from`; -1 where none does. */
function closing(text: string, from: number): number {
  for (let at = from, depth = 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return at;
  }
  return -1;
}
