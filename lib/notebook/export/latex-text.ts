/** What stands for a character in text. */
const special: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "<": "\\textless{}",
  ">": "\\textgreater{}",
  "|": "\\textbar{}",
  '"': "\\textquotedbl{}",
  "`": "\\textasciigrave{}",
  "&": "\\&",
  "%": "\\%",
  $: "\\$",
  "#": "\\#",
  _: "\\_",
  "{": "\\{",
  "}": "\\}",
};

/** Characters that LaTeX's usual fonts lack. */
const symbols: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({
    "×": "\\times", "÷": "\\div", "±": "\\pm", "≤": "\\leq", "≥": "\\geq", "≠": "\\neq", "≈": "\\approx", "≡": "\\equiv", "∞": "\\infty", "−": "-", "·": "\\cdot", "√": "\\surd", "∑": "\\sum", "∏": "\\prod", "∈": "\\in", "∉": "\\notin",
    "→": "\\rightarrow", "←": "\\leftarrow", "↔": "\\leftrightarrow", "⇒": "\\Rightarrow", "↑": "\\uparrow", "↓": "\\downarrow", "°": "^{\\circ}", "²": "^{2}", "³": "^{3}", "µ": "\\mu",
    "α": "\\alpha", "β": "\\beta", "γ": "\\gamma", "δ": "\\delta", "ε": "\\varepsilon", "ζ": "\\zeta", "η": "\\eta", "θ": "\\theta", "ι": "\\iota", "κ": "\\kappa", "λ": "\\lambda", "μ": "\\mu", "ν": "\\nu", "ξ": "\\xi", "π": "\\pi", "ρ": "\\rho", "σ": "\\sigma", "τ": "\\tau", "φ": "\\varphi", "χ": "\\chi", "ψ": "\\psi", "ω": "\\omega",
    "Γ": "\\Gamma", "Δ": "\\Delta", "Θ": "\\Theta", "Λ": "\\Lambda", "Ξ": "\\Xi", "Π": "\\Pi", "Σ": "\\Sigma", "Φ": "\\Phi", "Ψ": "\\Psi", "Ω": "\\Omega", "✓": "\\surd", "•": "\\bullet", "⊤": "\\top", "∂": "\\partial", "∇": "\\nabla",
  }).map(([character, command]) => [character, `\\ensuremath{${command}}`]),
);

/** Bars and lines that terminals draw. */
const drawn: Readonly<Record<string, string>> = { ...bars(), "┌": "+", "┐": "+", "└": "+", "┘": "+", "├": "+", "┤": "+", "┬": "+", "┴": "+", "┼": "+", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "═": "=", "║": "\\textbar{}", "╔": "+", "╗": "+", "╚": "+", "╝": "+", "─": "-", "━": "-", "│": "\\textbar{}", "┃": "\\textbar{}", "…": "\\ldots{}", "\u00a0": "~", "\u200b": "" };

/** Blocks of eighths of a line's height, and shades. The command is in the document's preamble. */
function bars(): Record<string, string> {
  const heights = [..."▁▂▃▄▅▆▇█"].map((character, i) => [character, `\\bartext{${((i + 1) * 0.28).toFixed(2)}}{0}`]);
  return Object.fromEntries([...heights, ..."▓▒░".split("").map((character, i) => [character, `\\bartext{2.24}{${[0.3, 0.55, 0.8][i]}}`])]) as Record<string, string>;
}

/** Text in which nothing is a command. */
export function latexText(text: string): string {
  return text.replace(/[\\~^<>|"`&%$#_{}]|[^\x00-\x7f]/gu, (character) => special[character] ?? symbols[character] ?? drawn[character] ?? character).replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "");
}

/** Text for a Verbatim environment with `commandchars=\\\{\}`, where only these three are special. */
export function verbatimText(text: string): string {
  return text
    .replace(/[\\{}]|[^\x00-\x7f]/gu, (character) => ({ "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}" })[character] ?? symbols[character] ?? (character === "│" || character === "┃" ? "|" : character === "\u00a0" ? " " : drawn[character]) ?? character)
    .replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "");
}

/** An address for \href, in which only these are special. */
export const latexUrl = (url: string): string => url.replace(/[%#\\{}&]/g, (character) => (character === "\\" ? "/" : `\\${character}`));
