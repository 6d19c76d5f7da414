import type { Token } from "markdown-it";

/** Environments that number their lines. */
const numbered = /^\s*\\begin\{(equation|align|alignat|flalign|gather|multline|eqnarray)\}([\s\S]*)\\end\{\1\}\s*$/;

/** Numbers of the equations of a whole notebook, as LaTeX would count them, and what their labels refer to. */
export class Equations {
  private count = 0;
  private readonly numbers = new Map<string, string>();

  /** Gives the formulas of a notebook their numbers, in order. @param tokens changed: `\label` becomes `\tag`, starred environments */
  number(tokens: readonly Token[]): void {
    for (const token of tokens) {
      if (token.type === "math_block") {
        token.meta = { ids: labelsOf(token.content).map(equationId) };
        token.content = this.tagged(token.content);
      }
      if (token.children) this.number(token.children);
    }
  }

  /** `\ref` and `\eqref` as the numbers they mean; a label that is nowhere stays a question mark, as in LaTeX. */
  resolved(formula: string): string {
    return formula.replace(/\\(eqref|ref)\s*\{([^{}]*)\}/g, (_, command: string, label: string) => {
      const number = this.numbers.get(label);
      const text = command === "eqref" ? `(${number ?? "??"})` : (number ?? "??");
      return number === undefined ? `\\text{${text}}` : `\\href{#${equationId(label)}}{\\text{${text}}}`;
    });
  }

  /** The number of the equation with this label. */
  numberOf(label: string): string | undefined {
    return this.numbers.get(label);
  }

  /** Whether a formula's text refers to a label that no equation has. */
  unknown(formula: string): string | undefined {
    return [...formula.matchAll(/\\(?:eqref|ref)\s*\{([^{}]*)\}/g)].map(([, label]) => label!).find((label) => !this.numbers.has(label));
  }

  private tagged(formula: string): string {
    const found = numbered.exec(formula.replace(/\\(begin|end)\{subequations\}/g, ""));
    if (!found) return /\\label\s*\{/.test(formula) ? this.line(formula) : formula;
    const [, name, body] = found as unknown as [string, string, string];
    const one = name === "equation" || name === "multline";
    const lines = one ? [body] : rows(body);
    const last = lines.length > 1 && lines.at(-1)!.trim() === "" ? lines.pop()! : "";
    return `\\begin{${name}*}${[...lines.map((line) => this.line(line)), ...(last === "" ? [] : [last])].join("\\\\")}\\end{${name}*}`;
  }

  private line(text: string): string {
    const labels = [...text.matchAll(/\\label\s*\{([^{}]*)\}/g)].map(([, label]) => label!);
    const bare = text.replace(/\\label\s*\{[^{}]*\}/g, "").replace(/\\(nonumber|notag)(?![A-Za-z])/g, "");
    const own = /\\tag\*?\s*\{([^{}]*)\}/.exec(text)?.[1];
    if (own === undefined && /\\(nonumber|notag)(?![A-Za-z])/.test(text)) return bare;
    const number = own ?? String(++this.count);
    for (const label of labels) this.numbers.set(label, number);
    return own === undefined ? `${bare.trimEnd()} \\tag{${number}}` : bare;
  }
}

/** The id of a formula with this label. */
export const equationId = (label: string): string => `eq-${label.replace(/[^\p{L}\p{N}_.-]+/gu, "-").replace(/^eq-+/, "")}`;

/** Labels in a formula. */
export const labelsOf = (formula: string): string[] => [...formula.matchAll(/\\label\s*\{([^{}]*)\}/g)].map(([, label]) => label!);

/** Lines of an environment: parted by `\\` outside of braces and of other environments. */
function rows(body: string): string[] {
  const found: string[] = [];
  let [depth, start] = [0, 0];
  for (const { 0: mark, index } of body.matchAll(/\\(?:begin|end)\{[^{}]*\}|\\\\(?:\[[^\]]*\])?|\\.|[{}]/g)) {
    if (mark === "{" || mark.startsWith("\\begin")) depth++;
    else if (mark === "}" || mark.startsWith("\\end")) depth--;
    else if (mark.startsWith("\\\\") && depth === 0) {
      found.push(body.slice(start, index));
      start = index + mark.length;
    }
  }
  return [...found, body.slice(start)];
}
