/** Letters and marks that Latin Modern has, in every engine. */
const known = /[\x00-\u017f\u0192\u0218-\u021b\u02c6\u02c7\u02d8-\u02dd\u2010-\u2015\u2018-\u201e\u2020-\u2022\u2026\u2030\u2032\u2039\u203a\u20ac\u2122\u200b-\u200d\u2060\ufe0e\ufe0f]/u;

/** Characters of a document that LaTeX's usual fonts lack, each with how often it is there. */
export function lacking(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const [character] of text.matchAll(/[^\x00-\u017f]/gu)) if (!known.test(character)) found.set(character, (found.get(character) ?? 0) + 1);
  return found;
}

/** What to say of them: how many, which, and what sets them. */
export function lackingWarning(found: ReadonlyMap<string, number>): string {
  const count = [...found.values()].reduce((sum, each) => sum + each, 0);
  const shown = [...found.keys()].slice(0, 20).join("");
  return `${count} ${count === 1 ? "character" : "characters"} that LaTeX's usual fonts lack (${shown}${found.size > 20 ? "…" : ""}): lualatex takes them from other installed fonts (Noto, DejaVu, FreeSans); pdflatex and xelatex put their code in a box`;
}

/** Fonts to look into, in this order; those that are installed count. */
const others = ["Noto Sans CJK SC", "Noto Serif CJK SC", "Source Han Sans SC", "FandolSong", "IPAexMincho", "UnDotum", "DejaVu Sans", "FreeSans", "FreeSerif", "Noto Sans", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Symbols2", "Noto Emoji", "Symbola"];

/** Lines for the preamble: lualatex falls back on other fonts, the other engines print the character's code in a small box. */
export function fallbackFonts(found: ReadonlyMap<string, number>): string {
  if (found.size === 0) return "";
  const codes = [...found.keys()].map((character) => character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0"));
  const lookups = others.map((name) => `  \\IfFontExistsTF{${name}}{\\directlua{table.insert(otherfonts,"${name}:mode=harf;")}}{}`).join("\n");
  return String.raw`\newcommand{\lacking}[1]{{\fboxsep1pt\fbox{\tiny\texttt{#1}}}}
\ifluatex
  \directlua{otherfonts={}}
${lookups}
  \directlua{luaotfload.add_fallback("otherfonts",otherfonts)}
  \setmainfont{Latin Modern Roman}[RawFeature={fallback=otherfonts}]
  \setmonofont{Latin Modern Mono}[RawFeature={fallback=otherfonts}]
\else\ifxetex
  \makeatletter
${codes.map((code) => `  \\catcode"${code}=\\active\\begingroup\\lccode\`\\~="${code}\\lowercase{\\endgroup\\protected\\def~}{\\lacking{${code}}}`).join("\n")}
  \makeatother
\else
${codes.map((code) => `  \\DeclareUnicodeCharacter{${code}}{\\lacking{${code}}}`).join("\n")}
\fi\fi
`;
}
