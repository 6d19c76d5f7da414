import type { Fields } from "../fields.js";
import { toByteCharacters } from "./byte-level.js";
import { punctuation } from "./older-unicode.js";
import { literal, oniguruma, readPattern } from "./pattern.js";
import { part, prepended, rewritten, type Piece, type PreTokenizer } from "./pieces.js";
import { behaviors, split } from "./split.js";
import { scriptOf } from "./scripts.js";

const makers: Readonly<Record<string, (step: Fields) => PreTokenizer>> = {
  Sequence: (step) => {
    const all = step.list("pretokenizers").map(readPreTokenizer);
    return (piece) => all.reduce<readonly Piece[]>((pieces, cut) => pieces.flatMap(cut), [piece]);
  },
  ByteLevel: (step) => {
    const [prefix, cuts] = [step.boolean("add_prefix_space", true), step.boolean("use_regex", true)];
    return (given) => {
      const piece = prefix && !given.text.startsWith(" ") ? prepended(given, " ") : given;
      return (cuts ? split(piece, gpt2Pattern, "Isolated") : [piece]).map((word) => rewritten(word, toByteCharacters));
    };
  },
  Split: (step) => {
    const [pattern, behavior, invert] = [readPattern(step), step.choice("behavior", behaviors), step.boolean("invert", false)];
    return (piece) => split(piece, pattern, behavior, invert);
  },
  Metaspace: (step) => {
    const replacement = metaspaceMark(step);
    const [scheme, cuts] = [prependScheme(step), step.boolean("split", true)];
    const mark = literal(replacement);
    return (given) => {
      const marked = rewritten(given, (text) => text.replaceAll(" ", () => replacement));
      const prefix = !marked.text.startsWith(replacement) && (scheme === "always" || (scheme === "first" && marked.head > 0));
      const piece = prefix ? prepended(marked, replacement) : marked;
      return cuts ? split(piece, mark, "MergedWithNext") : [piece];
    };
  },
  Digits: (step) => {
    const behavior = step.boolean("individual_digits", false) ? "Isolated" : "Contiguous";
    return (piece) => split(piece, /\p{N}/gu, behavior);
  },
  Punctuation: (step) => {
    const behavior = step.choice("behavior", behaviors, "Isolated");
    return (piece) => split(piece, punctuationMark, behavior);
  },
  Whitespace: () => (piece) => split(piece, /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu, "Removed", true),
  WhitespaceSplit: () => (piece) => split(piece, whiteSpace, "Removed"),
  BertPreTokenizer: () => (piece) => split(piece, whiteSpace, "Removed").flatMap((word) => split(word, punctuationMark, "Isolated")),
  CharDelimiterSplit: delimiter,
  Delimiter: delimiter,
  FixedLength: (step) => {
    const length = step.integer("length", 1, 5);
    const pattern = new RegExp(`.{1,${length}}`, "gsu");
    return (piece) => split(piece, pattern, "Isolated");
  },
  UnicodeScripts: () => byScript,
};

/** A `pre_tokenizer` of tokenizer.json. @throws on what is not known */
export function readPreTokenizer(step: Fields): PreTokenizer {
  const type = step.choice("type", Object.keys(makers));
  return makers[type]!(step);
}

const gpt2Pattern = oniguruma("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+");
const whiteSpace = /\p{White_Space}/gu;
const punctuationMark = new RegExp(`[${punctuation}]`, "gu");

/** The character that stands for a space. */
export function metaspaceMark(step: Fields): string {
  const mark = step.text("replacement", "▁");
  if (Array.from(mark).length !== 1) throw step.error("replacement", "must be one character");
  return mark;
}

/** Where a space is put before a text that has none: before every piece, the first, or none. */
export function prependScheme(step: Fields): "always" | "first" | "never" {
  const scheme = step.choice("prepend_scheme", ["always", "first", "never"], "always");
  // The older spelling.
  return step.raw("add_prefix_space") === false ? "never" : scheme;
}

function delimiter(step: Fields): PreTokenizer {
  const character = step.text("delimiter");
  if (Array.from(character).length !== 1) throw step.error("delimiter", "must be one character");
  const pattern = new RegExp(`\\u{${character.codePointAt(0)!.toString(16)}}`, "gu");
  return (piece) => split(piece, pattern, "Removed");
}

/** Cuts where the script changes; spaces belong to both sides. */
function byScript(piece: Piece): Piece[] {
  const cuts: number[] = [];
  let [last, at]: [string | null, number] = [null, 0];
  for (const character of piece.text) {
    const script = scriptOf(character);
    if (script !== "Any") {
      if (last !== script) cuts.push(at);
      last = script;
    }
    at += character.length;
  }
  // What comes before the first cut is dropped, as the library does: spaces only.
  return cuts.map((from, i) => part(piece, from, cuts[i + 1] ?? piece.text.length));
}
