/**
 * The character map of a sentencepiece model (`precompiled_charsmap`): a double-array trie over UTF-8 whose leaves point into a list
 * of replacements. As the tokenizers library applies it: to grapheme clusters of less than six bytes whole, else to characters, and
 * the shortest entry that begins them decides.
 */
export class CharacterMap {
  private readonly trie: Uint32Array;
  private readonly replacements: Uint8Array;
  private readonly known = new Map<string, string | null>();

  /** @param map little endian: the trie's length in bytes, the trie, the replacements, each ended by a zero @throws where it is cut off */
  constructor(map: Buffer) {
    const length = map.length >= 4 ? map.readUInt32LE(0) : NaN;
    if (!(length >= 4 && length % 4 === 0 && 4 + length <= map.length)) throw new Error(`${map.length} bytes, which is no character map`);
    this.trie = Uint32Array.from({ length: length / 4 }, (_, i) => map.readUInt32LE(4 + 4 * i));
    this.replacements = map.subarray(4 + length);
  }

  apply(text: string): string {
    let all = "";
    for (const { segment } of segmenter.segment(text)) {
      const whole = Buffer.byteLength(segment) < 6 ? this.replacement(segment) : null;
      if (whole !== null) all += whole;
      else for (const character of segment) all += this.replacement(character) ?? character;
    }
    return all;
  }

  private replacement(chunk: string): string | null {
    let found = this.known.get(chunk);
    if (found === undefined) {
      found = this.look(chunk);
      if (this.known.size < 20_000) this.known.set(chunk, found);
    }
    return found;
  }

  /** https://github.com/s-yata/darts-clone: units with a label, an offset to the children, and a leaf beside them that holds the value. */
  private look(chunk: string): string | null {
    const { trie, replacements } = this;
    let at = offset(trie[0]!);
    for (const byte of Buffer.from(chunk)) {
      if (byte === 0) return null;
      at ^= byte;
      const unit = trie[at];
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return null;
      at ^= offset(unit);
      if ((unit >>> 8) & 1) {
        const start = (trie[at] ?? 0) & 0x7fffffff;
        const end = replacements.indexOf(0, start);
        return Buffer.from(replacements.subarray(start, end < 0 ? replacements.length : end)).toString();
      }
    }
    return null;
  }
}

const offset = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
