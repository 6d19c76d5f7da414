import type { Random } from "../../random.js";
import type { RulerTask } from "./sample.js";

const COMMON = 10;
/** Below this many tokens, words are repeated less often. */
const SHORT = 4096;

/**
 * RULER's common words: of a numbered list, the ten that appear most often, after an example that is solved.
 * @param words different words @param length tokens of the prompt
 */
export function commonWordsTask(words: readonly string[], length: number): RulerTask {
  const [example, list] = length < SHORT ? [[20, 3, 1], [6, 1]] : [[40, 10, 3], [30, 3]];
  const listed = (random: Random, count: number, often: number, seldom: number) => {
    const chosen = random.sample(words, count);
    const all = chosen.flatMap((word, i) => new Array<string>(i < COMMON ? often : seldom).fill(word));
    return { text: numbered(random.sample(all, all.length)), common: chosen.slice(0, COMMON) };
  };
  return {
    fewest: COMMON + 1,
    maxNewTokens: 120,
    metric: "string_match_all",
    make(random, size) {
      const solved = listed(random, example![0]!, example![1]!, example![2]!);
      const { text, common } = listed(random, Math.min(size, words.length), list![0]!, list![1]!);
      return { context: `${head(solved.text)}${ASK}${PREFIX} ${numbered(solved.common)}\n${head(text)}`, question: ASK, answerPrefix: PREFIX, answers: common };
    },
  };
}

const numbered = (words: readonly string[]) => words.map((word, i) => `${i + 1}. ${word}`).join(" ");
const head = (text: string) => `Below is a numbered list of words. In these words, some appear more often than others. Memorize the ones that appear most often.\n${text}\n`;
const ASK = "Question: What are the 10 most common words in the above list?";
const PREFIX = " Answer: The top 10 words that appear most often in the list are:";

/**
 * RULER's frequent words: of words that are drawn by Zipf's law (exponent 2), the three most frequent but one; the most frequent is noise.
 * @param length tokens of the prompt and the answer
 */
export function frequentWordsTask(length: number): RulerTask {
  const maxNewTokens = 50;
  const size = Math.max(4, Math.floor((length - maxNewTokens) / 50));
  return {
    fewest: 24,
    maxNewTokens,
    metric: "string_match_all",
    make(random, count) {
      const vocabulary = new Set<string>();
      while (vocabulary.size < size) vocabulary.add(Array.from({ length: 6 }, () => String.fromCharCode(97 + random.int(26))).join(""));
      const words = ["...", ...[...vocabulary].slice(1)];
      // zeta(2) = π² / 6
      const all = words.flatMap((word, i) => new Array<string>(Math.floor((count * 6) / (Math.PI ** 2 * (i + 1) ** 2))).fill(word));
      return {
        context: `Read the following coded text and track the frequency of each coded word. Find the three most frequently appeared coded words. ${random.sample(all, all.length).join(" ")}\n`,
        question: "Question: Do not provide any explanation. Please ignore the dots '....'. What are the three most frequently appeared words in the above coded text?",
        answerPrefix: " Answer: According to the coded text above, the three most frequently appeared words are:",
        answers: words.slice(1, 4),
      };
    },
  };
}
