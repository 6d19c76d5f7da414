import type { Fields } from "../fields.js";
import { readVocabulary, unknownId, type Model } from "./model.js";

/** A piece is a token or unknown. */
export class WordLevel implements Model {
  readonly vocabulary: ReadonlyMap<string, number>;
  private readonly unknown: () => number;

  constructor(fields: Fields) {
    this.vocabulary = readVocabulary(fields);
    this.unknown = unknownId(fields, this.vocabulary, "<unk>");
  }

  encode(piece: string): readonly number[] {
    return [this.vocabulary.get(piece) ?? this.unknown()];
  }
}

/** The longest token that begins a piece, then the longest that goes on (BERT). A piece that does not come out is unknown as a whole. */
export class WordPiece implements Model {
  readonly vocabulary: ReadonlyMap<string, number>;
  private readonly unknown: () => number;
  private readonly prefix: string;
  private readonly longest: number;

  constructor(fields: Fields) {
    this.vocabulary = readVocabulary(fields);
    this.unknown = unknownId(fields, this.vocabulary, "[UNK]");
    this.prefix = fields.text("continuing_subword_prefix", "##");
    this.longest = fields.integer("max_input_chars_per_word", 0, 100);
  }

  encode(piece: string): readonly number[] {
    const characters = Array.from(piece);
    if (characters.length > this.longest) return [this.unknown()];
    const ids: number[] = [];
    for (let start = 0; start < characters.length; ) {
      let end = characters.length;
      let id: number | undefined;
      for (; end > start; end--) {
        id = this.vocabulary.get((start > 0 ? this.prefix : "") + characters.slice(start, end).join(""));
        if (id !== undefined) break;
      }
      if (id === undefined) return [this.unknown()];
      ids.push(id);
      start = end;
    }
    return ids;
  }
}
