/** A stretch of text on its way to tokens. */
export interface Piece {
  readonly text: string;
  /**
   * How many units at its beginning come of the very first character that was given; mostly none. Some tokenizers put a space mark
   * before that one only, and a normalizer may have made several of it, which are cut apart later.
   */
  readonly head: number;
}

/** A part of a piece. */
export function part({ text, head }: Piece, start: number, end: number): Piece {
  return { text: text.slice(start, end), head: Math.max(0, Math.min(head, end) - start) };
}

/** Puts a text before a piece. */
export function prepended({ text, head }: Piece, prefix: string): Piece {
  return { text: prefix + text, head: head === 0 ? 0 : head + prefix.length };
}

/** Rewrites a piece's characters by themselves. */
export function rewritten({ text, head }: Piece, rewrite: (text: string) => string): Piece {
  return { text: rewrite(text), head: head === 0 ? 0 : rewrite(text.slice(0, head)).length };
}

/** Cuts pieces into smaller ones. */
export type PreTokenizer = (piece: Piece) => readonly Piece[];

/** Rewrites a piece's text. */
export type Normalizer = (piece: Piece) => Piece;
