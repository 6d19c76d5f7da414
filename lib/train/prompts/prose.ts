import type { Tokenizer } from "../../checkpoint/tokenizer.js";
import type { Random } from "../../random.js";

/** Where a sentence ends and another begins. */
const SENTENCE_END = /[.!?]["')\]]*(?=\s)/g;

/** `text` with `sentences` put at random places where a sentence ends, or at its end where none does. */
export function hide(random: Random, text: string, sentences: readonly string[]): string {
  const ends = [...text.matchAll(SENTENCE_END)].map((match) => match.index + match[0].length);
  const places = sentences.map((sentence) => ({ sentence, at: ends.length ? random.pick(ends) : text.length }));
  places.sort((a, b) => a.at - b.at);
  let result = "";
  let from = 0;
  for (const { sentence, at } of places) {
    result += text.slice(from, at) + sentence;
    from = at;
  }
  return result + text.slice(from);
}

/** Draws stretches of prose that begin with a sentence. */
export class Prose {
  private readonly text: string;

  constructor(
    documents: readonly string[],
    private readonly tokenizer: Tokenizer,
  ) {
    this.text = documents.join("\n\n");
  }

  /** Two neighbouring stretches of `first` and `second` tokens, give or take a token where they are encoded again. */
  excerpt(random: Random, first: number, second: number): [string, string] {
    const tokens = first + second;
    // English prose has about four characters a token; more are taken until it is enough.
    for (let characters = 6 * tokens + 400; ; characters *= 2) {
      if (characters > this.text.length) throw new Error(`prose: ${this.text.length} characters (too few for an excerpt of ${tokens} tokens)`);
      const start = random.int(this.text.length - characters);
      const piece = this.text.slice(start, start + characters);
      const begin = piece.search(/(?<=[.!?]["')\]]*\s+)\S/);
      const ids = this.tokenizer.encode(piece.slice(Math.max(0, begin)), { addSpecialTokens: false });
      if (ids.length < tokens) continue;
      // Bytes of a character that was cut in two decode to the replacement character.
      const decode = (from: number, to: number) => this.tokenizer.decode(ids.slice(from, to)).replace(/^\uFFFD+|\uFFFD+$/g, "");
      return [decode(0, first), decode(first, tokens)];
    }
  }
}
