import { words } from "./words.js";

/**
 * ROUGE-L between two texts (Lin 2004), summary level, as the Python package `rouge` computes it for LongBench: sentences end at
 * full stops, words at white space; of each right sentence the union of its longest common subsequences with all sentences said.
 */
export function rougeLF(prediction: string, answer: string): number {
  const [said, right] = [sentences(prediction), sentences(answer)];
  const [saidWords, rightWords] = [new Set(said.flat()), new Set(right.flat())];
  if (saidWords.size === 0 || rightWords.size === 0) return 0;
  // The package counts each distinct word once.
  const union = new Set<string>();
  let common = 0;
  for (const sentence of right) {
    const before = union.size;
    for (const other of said) for (const word of commonSubsequence(sentence, other)) union.add(word);
    common += union.size - before;
  }
  const [precision, recall] = [common / saidWords.size, common / rightWords.size];
  return 2 * ((precision * recall) / (precision + recall + 1e-8));
}

/** A sentence of white space alone has one word, the empty one: so the package counts. */
const sentences = (text: string): string[][] =>
  text.split(".").filter((sentence) => sentence !== "").map((sentence) => words(sentence)).map((found) => (found.length > 0 ? found : [""]));

/** One longest common subsequence of two sentences. */
function commonSubsequence(a: readonly string[], b: readonly string[]): string[] {
  const width = b.length + 1;
  const table = new Uint32Array((a.length + 1) * width);
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      table[i * width + j] = a[i - 1] === b[j - 1] ? table[(i - 1) * width + j - 1]! + 1 : Math.max(table[(i - 1) * width + j]!, table[i * width + j - 1]!);
    }
  }
  const words: string[] = [];
  for (let i = a.length, j = b.length; i > 0 && j > 0; ) {
    if (a[i - 1] === b[j - 1]) {
      words.push(a[i - 1]!);
      i--;
      j--;
    } else if (table[(i - 1) * width + j]! > table[i * width + j - 1]!) i--;
    else j--;
  }
  return words.reverse();
}
