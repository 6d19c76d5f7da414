import { rougeLF } from "./rouge.js";

/** Grades an answer against one right answer, 0 … 1. `classes`: all labels of a classification. */
export type Metric = (prediction: string, answer: string, classes: readonly string[]) => number;

/** Lower case, without punctuation, articles and extra white space (as SQuAD's evaluation). */
export function normalise(text: string): string {
  return text.toLowerCase().replace(/[!-/:-@[-`{-~]/g, "").replace(/\b(a|an|the)\b/g, " ").split(/\s+/).filter((word) => word !== "").join(" ");
}

/** Overlap of normalised words: F1 of precision and recall. */
export const f1: Metric = (prediction, answer) => {
  const [said, right] = [prediction, answer].map((text) => normalise(text).split(" ").filter((word) => word !== "")) as [string[], string[]];
  const left = new Map<string, number>();
  for (const word of right) left.set(word, (left.get(word) ?? 0) + 1);
  let same = 0;
  for (const word of said) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    same++;
  }
  return same === 0 ? 0 : (2 * same) / (said.length + right.length);
};

export const rougeL: Metric = (prediction, answer) => rougeLF(prediction, answer);

/** 1 / number of labels named, where the right one is among them; labels that are part of the right one do not count. */
export const classification: Metric = (prediction, answer, classes) => {
  const named = classes.filter((label) => prediction.includes(label) && !(answer.includes(label) && label !== answer));
  return named.includes(answer) ? 1 / named.length : 0;
};

const numbers = (text: string): string[] => text.match(/\d+/g) ?? [];
const shareOf = (found: readonly string[], right: string | undefined): number => (found.length === 0 ? 0 : found.filter((n) => n === right).length / found.length);

/** Share of the numbers in the answer that are the right one. */
export const counting: Metric = (prediction, answer) => shareOf(numbers(prediction), answer.trim());

/** The same for the number of a paragraph ("Paragraph 12"). */
export const passage: Metric = (prediction, answer) => shareOf(numbers(prediction), /Paragraph (\d+)/.exec(answer)?.[1]);

/** Similarity of the first line that is code, comments and fences left out, to the right one: 1 - edits / (both lengths). */
export const codeSimilarity: Metric = (prediction, answer) => {
  const line = prediction.replace(/^\n+/, "").split("\n").find((text) => !/[`#]|\/\//.test(text)) ?? "";
  const total = line.length + answer.length;
  // LongBench rounds to whole percent.
  return total === 0 ? 0 : Math.round((100 * (total - insertDelete(line, answer))) / total) / 100;
};

/** Edits that turn a into b by insertions and deletions alone. */
function insertDelete(a: string, b: string): number {
  let before = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) row[j] = a[i - 1] === b[j - 1] ? before[j - 1]! : 1 + Math.min(before[j]!, row[j - 1]!);
    before = row;
  }
  return before[b.length]!;
}

/** The seed's hit rate: 1 where the right answer stands in what was said, ignoring case. */
export const hit: Metric = (prediction, answer) => Number(answer.trim() !== "" && prediction.toLowerCase().includes(answer.trim().toLowerCase()));
