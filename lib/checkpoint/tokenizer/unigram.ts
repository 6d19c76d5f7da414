import type { Fields } from "../fields.js";
import { byteTokens } from "./bpe.js";
import type { Model } from "./model.js";
import { PrefixSearch } from "./prefix-search.js";

/** An unknown character costs this much more than the least likely token. */
const UNKNOWN_PENALTY = 10;

/** The cut of a piece whose tokens' scores (log probabilities) have the largest sum (Kudo 2018), as sentencepiece finds it. */
export class Unigram implements Model {
  readonly vocabulary: ReadonlyMap<string, number>;
  private readonly search: PrefixSearch;
  /** Of each string of `search`. */
  private readonly ids: Int32Array;
  private readonly scores: Float64Array;
  private readonly unknown: number | undefined;
  private readonly unknownScore: number;
  private readonly byteTokens: readonly (number | undefined)[] | null;

  constructor(fields: Fields) {
    const pairs = readPairs(fields);
    this.vocabulary = new Map(pairs.map(([token], id) => [token, id]));
    this.search = new PrefixSearch(this.vocabulary.keys());
    this.ids = Int32Array.from(this.search.strings, (token) => this.vocabulary.get(token)!);
    this.scores = Float64Array.from(this.ids, (id) => pairs[id]![1]);
    this.unknownScore = pairs.reduce((least, [, score]) => Math.min(least, score), Infinity) - UNKNOWN_PENALTY;
    this.unknown = fields.has("unk_id") ? fields.integer("unk_id", 0) : undefined;
    if (this.unknown !== undefined && this.unknown >= pairs.length) throw fields.error("unk_id", `must be below the vocabulary's size, ${pairs.length}`);
    this.byteTokens = fields.boolean("byte_fallback", false) ? byteTokens(this.vocabulary) : null;
  }

  encode(piece: string): readonly number[] {
    const n = piece.length;
    // Of the best way to each place: its score, where its last token starts, and which one that is.
    const best = new Float64Array(n + 1);
    const start = new Int32Array(n + 1).fill(-1);
    const token = new Int32Array(n + 1);
    const offer = (from: number, to: number, id: number, score: number) => {
      if (start[to] !== -1 && score <= best[to]!) return;
      [best[to], start[to], token[to]] = [score, from, id];
    };
    for (let at = 0; at < n; ) {
      const character = (piece.codePointAt(at)! > 0xffff) ? 2 : 1;
      let alone = false;
      this.search.each(piece, at, (index, length) => {
        offer(at, at + length, this.ids[index]!, this.scores[index]! + best[at]!);
        if (length === character) alone = true;
      });
      if (!alone) offer(at, at + character, this.unknown ?? -1, this.unknownScore + best[at]!);
      at += character;
    }
    return this.idsOf(piece, start, token);
  }

  /** Unknown characters side by side are one. */
  private idsOf(piece: string, start: Int32Array, token: Int32Array): number[] {
    const parts: { from: number; to: number; id: number }[] = [];
    for (let to = piece.length; to > 0; to = start[to]!) {
      const [from, id] = [start[to]!, token[to]!];
      const last = parts.at(-1);
      if (last && id === this.unknown && last.id === id) last.from = from;
      else parts.push({ from, to, id });
    }
    return parts.reverse().flatMap(({ from, to }) => this.known(piece.slice(from, to)));
  }

  private known(text: string): readonly number[] {
    const own = this.vocabulary.get(text);
    if (own !== undefined) return [own];
    const bytes = this.byteTokens && Array.from(Buffer.from(text), (byte) => this.byteTokens![byte]);
    if (bytes && !bytes.includes(undefined)) return bytes as number[];
    if (this.unknown === undefined) throw new Error(`text: ${JSON.stringify(text.slice(0, 40))} (not in the tokenizer's vocabulary, which has no unknown token)`);
    return [this.unknown];
  }
}

function readPairs(fields: Fields): [string, number][] {
  const vocab = fields.raw("vocab");
  if (!Array.isArray(vocab)) throw fields.error("vocab", "must be a list of [token, score]");
  (vocab as unknown[]).forEach((pair, id) => {
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== "string" || typeof pair[1] !== "number") {
      throw new Error(`${fields.file}: ${fields.path}vocab[${id}]: ${JSON.stringify(pair)?.slice(0, 80)} (must be [token, score])`);
    }
  });
  return vocab as [string, number][];
}
