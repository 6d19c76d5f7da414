import type { Fields } from "../fields.js";
import { fromByteCharacters } from "./byte-level.js";
import { readPattern, spansOf } from "./pattern.js";
import { metaspaceMark, prependScheme } from "./pre-tokenizers.js";

/** Turns tokens into stretches of text; joined they are the text. */
export type Decoder = (tokens: readonly string[]) => readonly string[];

const makers: Readonly<Record<string, (step: Fields) => Decoder>> = {
  Sequence: (step) => {
    const all = step.list("decoders").map(readDecoder);
    return (tokens) => all.reduce((before, decode) => decode(before), tokens);
  },
  ByteLevel: () => (tokens) => [fromByteCharacters(tokens)],
  ByteFallback: () => byteFallback,
  Fuse: () => (tokens) => [tokens.join("")],
  Replace: (step) => {
    const [pattern, content] = [readPattern(step), step.text("content")];
    return (tokens) => tokens.map((token) => spansOf(token, pattern).map(([start, end, matched]) => (matched ? content : token.slice(start, end))).join(""));
  },
  Strip: (step) => {
    const [content, left, right] = [step.text("content"), step.integer("start", 0, 0), step.integer("stop", 0, 0)];
    return (tokens) => tokens.map((token) => {
      const characters = Array.from(token);
      let [from, to] = [0, characters.length];
      while (from < left && characters[from] === content) from++;
      while (to > 0 && characters.length - to < right && characters[to - 1] === content) to--;
      return characters.slice(from, Math.max(from, to)).join("");
    });
  },
  Metaspace: (step) => {
    const [mark, first] = [metaspaceMark(step), prependScheme(step) === "never" ? " " : ""];
    return (tokens) => tokens.map((token, i) => token.replaceAll(mark, i === 0 ? first : " "));
  },
  WordPiece: (step) => {
    const [prefix, tidy] = [step.text("prefix", "##"), step.boolean("cleanup", true)];
    return (tokens) => tokens.map((token, i) => {
      const text = i === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
      return tidy ? cleanup(text) : text;
    });
  },
  BPEDecoder: (step) => {
    const suffix = step.text("suffix", "</w>");
    return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? "" : " "));
  },
  CTC: (step) => {
    const [pad, delimiter, tidy] = [step.text("pad_token", "<pad>"), step.text("word_delimiter_token", "|"), step.boolean("cleanup", true)];
    return (tokens) => tokens.filter((token, i) => token !== tokens[i - 1]).flatMap((token) => {
      const text = token.replaceAll(pad, "");
      const spaced = tidy ? cleanup(text).replaceAll(delimiter, " ") : text;
      return spaced === "" ? [] : [spaced];
    });
  },
};

/** A `decoder` of tokenizer.json. @throws on what is not known */
export function readDecoder(step: Fields): Decoder {
  const type = step.choice("type", Object.keys(makers));
  return makers[type]!(step);
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Runs of `<0x61>` become text; where they are no UTF-8, each byte becomes U+FFFD. */
function byteFallback(tokens: readonly string[]): string[] {
  const all: string[] = [];
  let bytes: number[] = [];
  const flush = () => {
    if (bytes.length === 0) return;
    try {
      all.push(strict.decode(Uint8Array.from(bytes)));
    } catch {
      all.push(...bytes.map(() => "\ufffd"));
    }
    bytes = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
    if (byte !== undefined) bytes.push(parseInt(byte, 16));
    else {
      flush();
      all.push(token);
    }
  }
  flush();
  return all;
}

/** What English loses when its words are joined by spaces. */
function cleanup(text: string): string {
  for (const [from, to] of [[" .", "."], [" ?", "?"], [" !", "!"], [" ,", ","], [" ' ", "'"], [" n't", "n't"], [" 'm", "'m"], [" do not", " don't"], [" 's", "'s"], [" 've", "'ve"], [" 're", "'re"]] as const) {
    text = text.replaceAll(from, to);
  }
  return text;
}
