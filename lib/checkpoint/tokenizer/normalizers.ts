import type { Fields } from "../fields.js";
import { toByteCharacters } from "./byte-level.js";
import { combiningMarks, unnormalized } from "./older-unicode.js";
import { readPattern, spansOf } from "./pattern.js";
import { part, prepended, rewritten, type Normalizer } from "./pieces.js";
import { CharacterMap } from "./precompiled.js";

const makers: Readonly<Record<string, (step: Fields) => Normalizer>> = {
  Sequence: (step) => {
    const all = step.list("normalizers").map(readNormalizer);
    return (piece) => all.reduce((before, normalize) => normalize(before), piece);
  },
  NFC: () => rewriting((text) => text.normalize("NFC")),
  NFD: () => rewriting((text) => normalForm(text, "NFD")),
  NFKC: () => rewriting((text) => normalForm(text, "NFKC")),
  NFKD: () => rewriting((text) => normalForm(text, "NFKD")),
  Lowercase: () => rewriting(lowerCase),
  Nmt: () => rewriting((text) => text
    .replace(/[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/g, "")
    .replace(/[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g, " ")),
  Strip: (step) => {
    const [left, right] = [step.boolean("strip_left", false), step.boolean("strip_right", false)];
    return (piece) => {
      const from = left ? piece.text.length - piece.text.replace(/^\p{White_Space}+/u, "").length : 0;
      return part(piece, from, right ? Math.max(from, piece.text.length - trailing(piece.text)) : piece.text.length);
    };
  },
  StripAccents: () => rewriting((text) => text.replace(marks, "")),
  Prepend: (step) => {
    const prefix = step.text("prepend");
    return (piece) => (piece.text === "" ? piece : prepended(piece, prefix));
  },
  Replace: (step) => {
    const [pattern, content] = [readPattern(step), step.text("content")];
    return ({ text, head }) => {
      const spans = spansOf(text, pattern);
      let kept = 0;
      for (const [start, end, matched] of spans) {
        if (start >= head) break;
        // What is put in counts as the last character that was taken out.
        kept += !matched ? Math.min(end, head) - start : end <= head ? content.length : 0;
      }
      return { text: spans.map(([start, end, matched]) => (matched ? content : text.slice(start, end))).join(""), head: kept };
    };
  },
  ByteLevel: () => rewriting(toByteCharacters),
  BertNormalizer: bert,
  Precompiled: (step) => {
    let map: CharacterMap;
    try {
      map = new CharacterMap(Buffer.from(step.text("precompiled_charsmap"), "base64"));
    } catch (error) {
      throw step.error("precompiled_charsmap", `must be a sentencepiece model's character map in base64: ${(error as Error).message}`);
    }
    return rewriting((text) => map.apply(text));
  },
};

/** A `normalizer` of tokenizer.json. @throws on what is not known */
export function readNormalizer(step: Fields): Normalizer {
  const type = step.choice("type", Object.keys(makers));
  return makers[type]!(step);
}

/** As BERT cleans text. */
function bert(step: Fields): Normalizer {
  const [clean, chinese, lower] = [step.boolean("clean_text", true), step.boolean("handle_chinese_chars", true), step.boolean("lowercase", true)];
  const accents = step.boolean("strip_accents", lower);
  return rewriting((given) => {
    let text = given;
    if (clean) {
      text = text.replace(/[\0\ufffd]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu, "").replace(/\p{White_Space}/gu, " ");
    }
    if (chinese) text = text.replace(ideograph, " $& ");
    if (accents) text = normalForm(text, "NFD").replace(/\p{Mn}/gu, "");
    return lower ? lowerCase(text) : text;
  });
}

/** The blocks that BERT's code lists. */
const ideograph = /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

const marks = new RegExp(`[${combiningMarks}]`, "gu");
const later = new RegExp(`([${unnormalized}]+)`, "u");

function normalForm(text: string, form: "NFD" | "NFKC" | "NFKD"): string {
  return later.test(text) ? text.split(later).map((part, i) => (i % 2 ? part : part.normalize(form))).join("") : text.normalize(form);
}

const rewriting = (rewrite: (text: string) => string): Normalizer => (piece) => rewritten(piece, rewrite);

/** Character by character: a sigma at the end of a word stays the usual one. */
function lowerCase(text: string): string {
  const whole = text.toLowerCase();
  return text.includes("Σ") ? Array.from(text, (character) => character.toLowerCase()).join("") : whole;
}

/** Units of white space at the end; by hand, as an expression with `+$` takes quadratic time on long runs inside. */
function trailing(text: string): number {
  let count = 0;
  while (count < text.length && /\p{White_Space}/u.test(text[text.length - 1 - count]!)) count++;
  return count;
}
