/**
 * Languages whose names begin a code cell: behind `%%` in its first line, or behind the backticks in Markdown.
 * Source: https://jupytext.readthedocs.io/en/latest/languages.html
 */
const NAMES = new Set([
  "R", "bash", "sh", "python", "python2", "python3", "coconut", "javascript", "js", "perl", "html", "latex", "markdown", "pypy", "ruby", "script", "svg", "matlab", "octave", "idl",
  "robotframework", "sas", "spark", "sql", "cython", "haskell", "tcl", "gnuplot", "julia", "c++", "scheme", "clojure", "powershell", "q", "typescript", "scala", "rust", "csharp", "fsharp",
  "c#", "f#", "cs", "fs", "sos", "java", "groovy", "sage", "ocaml", "maxima", "stata", "jenner", "xonsh", "logtalk", "lua", "go",
]);

/** Whether a text notebook takes a word for a language. */
export function isLanguage(word: string): boolean {
  return NAMES.has(word) || [...NAMES].some((name) => name.toUpperCase() === word);
}

/** A cell that begins with `%%bash --login` in its parts; undefined for any other. */
export function magicLanguage(source: string[]): { language: string; args: string; rest: string[] } | undefined {
  const [, language = "", args = ""] = /^%%(\S+)(?: (.*))?$/.exec(source[0] ?? "") ?? [];
  return NAMES.has(language) ? { language, args, rest: source.slice(1) } : undefined;
}

/** A cell of another language than the notebook's. */
export const withMagic = (language: string, args: string, source: string[]): string[] => [`%%${language}${args === "" ? "" : ` ${args}`}`, ...source];
