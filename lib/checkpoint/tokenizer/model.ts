import type { Fields } from "../fields.js";

/** Turns the pieces of a text into ids. */
export interface Model {
  readonly vocabulary: ReadonlyMap<string, number>;
  /** @throws where the piece cannot be said in the vocabulary and there is no unknown token */
  encode(piece: string): readonly number[];
}

/** Ids beyond this are no ids. */
const LARGEST_ID = 2 ** 31 - 1;

/** `vocab` as an object from tokens to ids. */
export function readVocabulary(fields: Fields): Map<string, number> {
  const vocab = fields.raw("vocab");
  if (typeof vocab !== "object" || Array.isArray(vocab)) throw fields.error("vocab", "must be an object of tokens and their ids");
  const entries = Object.entries(vocab as Record<string, unknown>);
  for (const [token, id] of entries) {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) > LARGEST_ID) {
      throw new Error(`${fields.file}: ${fields.path}vocab: ${JSON.stringify(token)}: ${JSON.stringify(id)} (must be an integer from 0 to ${LARGEST_ID})`);
    }
  }
  return new Map(entries as [string, number][]);
}

/** The id of the token that stands for what is not in the vocabulary. @throws where there is none */
export function unknownId(fields: Fields, vocabulary: ReadonlyMap<string, number>, fallback: string): () => number {
  const token = fields.text("unk_token", fallback);
  const id = vocabulary.get(token);
  return () => {
    if (id === undefined) throw new Error(`text: a word that is not in the tokenizer's vocabulary, and neither is its unknown token ${JSON.stringify(token)}`);
    return id;
  };
}
