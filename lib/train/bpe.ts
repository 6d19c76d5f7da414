/**
 * How text is cut before merging: words with their leading space, single digits, runs of punctuation, white space.
 * Single digits, because keys and numbers must be copied figure by figure.
 */
const PRETOKENS = String.raw`'(?:s|t|re|ve|m|ll|d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

/** The token that separates documents; also begin and end of sequence. */
export const END_OF_TEXT = "<|endoftext|>";

/**
 * Trains a byte-level byte-pair encoding and gives the contents of a tokenizer.json (Hugging Face tokenizers).
 * Ids: 0 is END_OF_TEXT, 1 … 256 the bytes, then the merges in order of frequency (ties: first in code-point order).
 * @param size number of tokens in all, more than 257
 */
export function trainBpe(texts: Iterable<string>, size: number): Record<string, unknown> {
  if (!Number.isInteger(size) || size <= 257) throw new Error(`vocabulary size: ${size} (must be an integer above 257)`);
  const bytes = byteAlphabet();
  const words = countWords(texts, bytes);
  const vocabulary = [END_OF_TEXT, ...bytes];
  const merges: [string, string][] = [];
  while (vocabulary.length < size) {
    const best = mostFrequentPair(words);
    if (!best) break;
    merges.push(best);
    vocabulary.push(best[0] + best[1]);
    for (const word of words) merge(word.symbols, best);
  }
  return tokenizerJson(vocabulary, merges);
}

interface Word {
  readonly symbols: string[];
  readonly count: number;
}

/** Byte -> printable character, as GPT-2's byte-level encoding has it. */
function byteAlphabet(): string[] {
  const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}

function countWords(texts: Iterable<string>, bytes: readonly string[]): Word[] {
  const counts = new Map<string, number>();
  const pattern = new RegExp(PRETOKENS, "gu");
  for (const text of texts) for (const [word] of text.matchAll(pattern)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, count]) => ({ symbols: [...Buffer.from(word)].map((byte) => bytes[byte]!), count }));
}

function mostFrequentPair(words: readonly Word[]): [string, string] | null {
  const counts = new Map<string, number>();
  for (const { symbols, count } of words) {
    for (let i = 1; i < symbols.length; i++) {
      // No symbol holds a space: the byte alphabet maps it elsewhere.
      const pair = `${symbols[i - 1]} ${symbols[i]}`;
      counts.set(pair, (counts.get(pair) ?? 0) + count);
    }
  }
  let best: string | null = null;
  let most = 1;
  for (const [pair, count] of counts) {
    if (count > most || (count === most && best !== null && pair < best)) [best, most] = [pair, count];
  }
  return best === null ? null : (best.split(" ") as [string, string]);
}

function merge(symbols: string[], [left, right]: readonly [string, string]): void {
  for (let i = 0; i + 1 < symbols.length; i++) {
    if (symbols[i] === left && symbols[i + 1] === right) symbols.splice(i, 2, left + right);
  }
}

function tokenizerJson(vocabulary: readonly string[], merges: readonly [string, string][]): Record<string, unknown> {
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [{ id: 0, content: END_OF_TEXT, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }],
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [{ type: "Split", pattern: { Regex: PRETOKENS }, behavior: "Isolated", invert: false }, byteLevel],
    },
    post_processor: byteLevel,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
      merges: merges.map((pair) => pair.join(" ")),
    },
  };
}
