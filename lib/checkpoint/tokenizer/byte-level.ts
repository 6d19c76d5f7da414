// Byte-level vocabularies write each byte as a printable character (GPT-2's table): those that print stand for themselves,
// the others for what comes after U+00FF, in order.
const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
let next = 256;
const characters = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
const bytes = new Map(characters.map((character, byte) => [character, byte]));

/** The byte that a character stands for; undefined: none. */
export const byteOf = (character: string): number | undefined => bytes.get(character);

const encoder = new TextEncoder();
// Without `ignoreBOM` a first U+FEFF would vanish.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The UTF-8 bytes of a text, each as its character. */
export function toByteCharacters(text: string): string {
  let all = "";
  for (const byte of encoder.encode(text)) all += characters[byte];
  return all;
}

/** Tokens' bytes as one text; a token with a character that stands for no byte counts as it is. Broken UTF-8 becomes U+FFFD. */
export function fromByteCharacters(tokens: readonly string[]): string {
  const all: number[] = [];
  for (const token of tokens) {
    const own = Array.from(token, (character) => bytes.get(character));
    if (own.includes(undefined)) for (const byte of encoder.encode(token)) all.push(byte);
    else for (const byte of own) all.push(byte!);
  }
  return decoder.decode(Uint8Array.from(all));
}
