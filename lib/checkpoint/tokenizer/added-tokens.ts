import type { Fields } from "../fields.js";
import { part, type Normalizer, type Piece } from "./pieces.js";
import { PrefixSearch } from "./prefix-search.js";

/** A token that is found in the text itself, before the model sees what is left. */
interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** What it is matched as and decoded from: its content, normalised where it says so. */
  readonly matched: string;
  /** Only where no letter, digit or underscore touches it. */
  readonly singleWord: boolean;
  /** Takes the white space on its left, on its right along. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly special: boolean;
  readonly normalized: boolean;
}

/** A piece of text, or a token found in it. */
export type Found = Piece | number;

const word = "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]";
const endsWithWord = new RegExp(`${word}$`, "u");
const startsWithWord = new RegExp(word, "uy");
const whiteSpace = /\p{White_Space}/u;

/** The `added_tokens` of tokenizer.json. */
export class AddedTokens {
  private readonly byContent = new Map<string, AddedToken>();
  private readonly byId = new Map<number, AddedToken>();
  /** What decoding leaves out on request. */
  private readonly special = new Set<string>();
  private readonly asGiven: Matcher;
  private readonly afterNormalizing: Matcher;

  /** @param idInModel the model's own id of a string: that one counts, whatever the file says @param size of the model's vocabulary */
  constructor(list: readonly Fields[], normalize: Normalizer | null, idInModel: (token: string) => number | undefined, size: number) {
    let next = size;
    for (const fields of list) {
      const content = fields.text("content");
      if (content === "") continue;
      const special = fields.boolean("special", false);
      const normalized = fields.boolean("normalized", !special);
      const known = this.byContent.get(content)?.id ?? idInModel(content);
      const id = known ?? next++;
      const token: AddedToken = {
        id, content, special, normalized,
        matched: normalized && normalize ? normalize({ text: content, head: 0 }).text : content,
        singleWord: fields.boolean("single_word", false),
        lstrip: fields.boolean("lstrip", false),
        rstrip: fields.boolean("rstrip", false),
      };
      this.byContent.set(content, token);
      this.byId.set(id, token);
      if (special) this.special.add(content);
    }
    const tokens = [...this.byId.values()];
    this.asGiven = new Matcher(tokens.filter(({ normalized }) => !normalized));
    this.afterNormalizing = new Matcher(tokens.filter(({ normalized }) => normalized));
  }

  ids(): IterableIterator<number> {
    return this.byId.keys();
  }

  id(content: string): number | undefined {
    return this.byContent.get(content)?.id;
  }

  content(id: number): string | undefined {
    return this.byId.get(id)?.content;
  }

  /** What a decoder is given for an id. */
  matched(id: number): string | undefined {
    return this.byId.get(id)?.matched;
  }

  isSpecial(token: string): boolean {
    return this.special.has(token);
  }

  /** Tokens in a text and, between them, normalised pieces. */
  extract(text: string, normalize: Normalizer | null): Found[] {
    return this.asGiven.find({ text, head: (text.codePointAt(0) ?? 0) > 0xffff ? 2 : 1 }).flatMap((found) => {
      if (typeof found === "number") return [found];
      return this.afterNormalizing.find(normalize ? normalize(found) : found);
    });
  }
}

/** Finds tokens in a piece, from the left, the longest first. */
class Matcher {
  private readonly search: PrefixSearch;
  private readonly tokens = new Map<string, AddedToken>();

  constructor(tokens: readonly AddedToken[]) {
    for (const token of tokens) this.tokens.set(token.matched, token);
    this.search = new PrefixSearch(this.tokens.keys());
  }

  find(piece: Piece): Found[] {
    const { text } = piece;
    if (text === "" || this.tokens.size === 0) return text === "" ? [] : [piece];
    const found: Found[] = [];
    let done = 0;
    const upTo = (end: number) => {
      if (done < end) found.push(part(piece, done, end));
    };
    for (let at = 0; at < text.length; ) {
      const index = this.search.longest(text, at);
      if (index < 0) {
        at++;
        continue;
      }
      const token = this.tokens.get(this.search.strings[index]!)!;
      const end = at + token.matched.length;
      if (!token.singleWord || alone(text, at, end)) {
        let [from, to] = [at, end];
        if (token.lstrip) while (from > done && whiteSpace.test(text[from - 1]!)) from--;
        if (token.rstrip) while (to < text.length && whiteSpace.test(text[to]!)) to++;
        upTo(from);
        found.push(token.id);
        done = to;
      }
      // The search goes on behind the match itself: white space that it took along may begin another one.
      at = end;
    }
    upTo(text.length);
    return found;
  }
}

function alone(text: string, start: number, end: number): boolean {
  startsWithWord.lastIndex = end;
  // Two units are enough to see the character before.
  return !endsWithWord.test(text.slice(Math.max(0, start - 2), start)) && !startsWithWord.test(text);
}
