import { toRegExp } from "oniguruma-to-es";
import type { Fields } from "../fields.js";

/**
 * The `pattern` of a step of tokenizer.json: `{"String": …}` or `{"Regex": …}` in Oniguruma's syntax, which is what the tokenizers
 * library runs. It differs from JavaScript's in what `\s`, `\w`, `^`, `(?i:…)` and possessive quantifiers mean.
 */
export function readPattern(step: Fields): RegExp {
  const pattern = step.object("pattern");
  const [text, regex] = [pattern?.raw("String"), pattern?.raw("Regex")];
  if (typeof text === "string") return literal(text);
  if (typeof regex !== "string") throw step.error("pattern", 'must be {"String": text} or {"Regex": text}');
  try {
    return oniguruma(regex);
  } catch (error) {
    throw step.error("pattern", `must be a regular expression of Oniguruma: ${(error as Error).message}`);
  }
}

/** A text as it is, as an expression. */
export const literal = (text: string): RegExp => new RegExp(text.replace(/[$()*+.?[\\\]^{|}/]/g, "\\$&"), "gu");

/** A regular expression in Oniguruma's syntax as one of JavaScript's, global. @throws on what cannot be said in JavaScript */
export function oniguruma(source: string): RegExp {
  return toRegExp(withWords(source), { global: true, target: "ES2024", rules: { captureGroup: true } });
}

function execute(pattern: RegExp, text: string): RegExpExecArray | null {
  try {
    return pattern.exec(text);
  } catch (error) {
    // V8's stack for going back is 64 MB; what fills it is a stretch of millions of characters that no rule cuts.
    if (error instanceof RangeError) throw new Error(`text: a stretch of up to ${text.length} characters without a break (too long for the tokenizer's pattern; give less text, or token ids)`);
    throw error;
  }
}

/** Letters, marks, digits and connectors; the translator takes every number for one. */
const word = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
/** Outside of brackets Oniguruma counts some numbers of Latin-1 too. */
const wordAlone = `[${word}²³¹¼½¾]`;
const spelled: Readonly<Record<string, string>> = {
  w: wordAlone,
  W: `[^${wordAlone.slice(1)}`,
  b: `(?:(?<!${wordAlone})(?=${wordAlone})|(?<=${wordAlone})(?!${wordAlone}))`,
  B: `(?:(?<!${wordAlone})(?!${wordAlone})|(?<=${wordAlone})(?=${wordAlone}))`,
};

/** Spells out what a word character is: `\w`, `\W`, `\b`, `\B`. */
function withWords(source: string): string {
  let depth = 0;
  return source.replace(/\\(.)|[[\]]/gsu, (text, escaped: string | undefined) => {
    if (escaped === undefined) depth = Math.max(0, depth + (text === "[" ? 1 : -1));
    else if (depth === 0) return spelled[escaped] ?? text;
    else if (escaped === "w") return word;
    else if (escaped === "W") return `[^${word}]`;
    return text;
  });
}

/** From, to (UTF-16 units), and whether the pattern matched there. Together they cover a text without gaps. */
export type Span = readonly [start: number, end: number, matched: boolean];

/** The matches of a global expression in a text and what lies between them. */
export function spansOf(text: string, pattern: RegExp): Span[] {
  const spans: Span[] = [];
  let [from, lastEnd] = [0, -1];
  for (let at = 0; at <= text.length; ) {
    pattern.lastIndex = at;
    const match = execute(pattern, text);
    if (match === null) break;
    const [start, end] = [match.index, match.index + match[0].length];
    // An empty match right behind another one counts for nothing, or the search would never go on.
    if (start === end && end === lastEnd) {
      at = end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1);
      continue;
    }
    if (from < start) spans.push([from, start, false]);
    spans.push([start, end, true]);
    at = from = lastEnd = end;
  }
  if (from < text.length) spans.push([from, text.length, false]);
  return spans;
}
