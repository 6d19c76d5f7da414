import type { Fields } from "../fields.js";
import { MergeTable } from "./merge-table.js";
import { readVocabulary, type Model } from "./model.js";

/** Pieces shorter than this are kept with their ids, so many of them. */
const [CACHED_LENGTH, CACHED_PIECES] = [256, 20_000];

/** Byte-pair encoding: the pair of neighbours that was learnt first becomes one, until no pair is known. */
export class Bpe implements Model {
  readonly vocabulary: ReadonlyMap<string, number>;
  private readonly merges: MergeTable;
  private readonly unknown: number | undefined;
  private readonly fuseUnknown: boolean;
  private readonly byteTokens: readonly (number | undefined)[] | null;
  private readonly wholeFirst: boolean;
  private readonly prefix: string;
  private readonly suffix: string;
  private readonly cache = new Map<string, readonly number[]>();

  constructor(fields: Fields) {
    this.vocabulary = readVocabulary(fields);
    this.prefix = fields.text("continuing_subword_prefix", "");
    this.suffix = fields.text("end_of_word_suffix", "");
    this.merges = readMerges(fields, this.vocabulary, this.prefix.length);
    const unknown = fields.text("unk_token", "");
    this.unknown = this.vocabulary.get(unknown);
    this.fuseUnknown = fields.boolean("fuse_unk", false);
    this.wholeFirst = fields.boolean("ignore_merges", false);
    this.byteTokens = fields.boolean("byte_fallback", false) ? byteTokens(this.vocabulary) : null;
  }

  encode(piece: string): readonly number[] {
    const known = this.cache.get(piece);
    if (known) return known;
    const whole = this.wholeFirst ? this.vocabulary.get(piece) : undefined;
    const ids = whole !== undefined ? [whole] : this.merges.apply(this.symbols(piece));
    if (piece.length < CACHED_LENGTH) {
      if (this.cache.size >= CACHED_PIECES) this.cache.clear();
      this.cache.set(piece, ids);
    }
    return ids;
  }

  /** A piece's characters as ids, before any merge. What is not in the vocabulary becomes its bytes, the unknown token, or nothing. */
  private symbols(piece: string): number[] {
    const ids: number[] = [];
    const characters = Array.from(piece);
    let pending = false;
    const flush = () => {
      if (pending) ids.push(this.unknown!);
      pending = false;
    };
    for (const [at, character] of characters.entries()) {
      const symbol = (at > 0 ? this.prefix : "") + character + (at === characters.length - 1 ? this.suffix : "");
      const id = this.vocabulary.get(symbol);
      if (id !== undefined) {
        flush();
        ids.push(id);
        continue;
      }
      const bytes = this.byteTokens && Array.from(Buffer.from(symbol), (byte) => this.byteTokens![byte]);
      if (bytes && !bytes.includes(undefined)) {
        // An unknown token that waits goes behind these bytes: so does the library.
        for (const byte of bytes) ids.push(byte!);
        continue;
      }
      if (this.unknown === undefined) continue;
      if (!this.fuseUnknown) flush();
      pending = true;
    }
    flush();
    return ids;
  }
}

/** The ids of `<0x00>` … `<0xFF>`. */
export function byteTokens(vocabulary: ReadonlyMap<string, number>): (number | undefined)[] {
  return Array.from({ length: 256 }, (_, byte) => vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`));
}

function readMerges(fields: Fields, vocabulary: ReadonlyMap<string, number>, prefixLength: number): MergeTable {
  const list = fields.raw("merges");
  if (!Array.isArray(list)) throw fields.error("merges", "must be a list of pairs");
  // A file of merges that was pasted in as it is begins with its version.
  const pairs = (list as unknown[]).filter((pair) => !(typeof pair === "string" && pair.startsWith("#version")));
  const table = new MergeTable(pairs.length);
  for (const [rank, pair] of pairs.entries()) {
    const parts: unknown = typeof pair === "string" ? pair.split(" ") : pair;
    const fail = (right: string): never => {
      throw new Error(`${fields.file}: ${fields.path}merges[${rank}]: ${JSON.stringify(pair)?.slice(0, 80)} (${right})`);
    };
    if (!Array.isArray(parts) || parts.length !== 2 || parts.some((part) => typeof part !== "string")) fail("must be two tokens");
    const [left, right] = parts as [string, string];
    const id = (token: string) => vocabulary.get(token) ?? fail(`${JSON.stringify(token)} must be in model.vocab`);
    table.add(id(left), id(right), rank, id(left + right.slice(prefixLength)));
  }
  return table;
}
