import { ratio } from "./difflib.js";
import { rougeLF } from "./rouge.js";
import { words } from "./words.js";

/** Grades an answer against one right answer, 0 … 1. `classes`: all labels of a classification. */
export type Metric = (prediction: string, answer: string, classes: readonly string[]) => number;

/** Lower case, without punctuation, articles and extra white space (as SQuAD's evaluation). An article is a whole word in any script. */
export function normalise(text: string): string {
  return words(text.toLowerCase().replace(/[!-/:-@[-`{-~]/g, "").replace(/(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu, " ")).join(" ");
}

/** Overlap of normalised words: F1 of precision and recall. */
export const f1: Metric = (prediction, answer) => {
  const [said, right] = [words(normalise(prediction)), words(normalise(answer))];
  const left = new Map<string, number>();
  for (const word of right) left.set(word, (left.get(word) ?? 0) + 1);
  let same = 0;
  for (const word of said) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    same++;
  }
  if (same === 0) return 0;
  const [precision, recall] = [same / said.length, same / right.length];
  return (2 * precision * recall) / (precision + recall);
};

export const rougeL: Metric = (prediction, answer) => rougeLF(prediction, answer);

/** 1 / number of labels named, where the right one is among them; labels that are part of the right one do not count. */
export const classification: Metric = (prediction, answer, classes) => {
  const named = classes.filter((label) => prediction.includes(label));
  // LongBench removes from the list that it walks along, so the label behind a removed one is not looked at.
  for (let i = 0; i < named.length; i++) if (answer.includes(named[i]!) && named[i] !== answer) named.splice(named.indexOf(named[i]!), 1);
  return named.includes(answer) ? 1 / named.length : 0;
};

/** Of any script, as Python's `\d`. */
const numbers = (text: string): string[] => text.match(/\p{Nd}+/gu) ?? [];
const shareOf = (found: readonly string[], right: string): number => (found.length === 0 ? 0 : found.filter((n) => n === right).length / found.length);

/** Share of the numbers in the answer that are the right one. */
export const counting: Metric = (prediction, answer) => shareOf(numbers(prediction), answer);

/** The number of a paragraph in a right answer ("Paragraph 12"); undefined where it has none. */
export const paragraph = (answer: string): string | undefined => /Paragraph (\p{Nd}+)/u.exec(answer)?.[1];

/** The same for the number of a paragraph. */
export const passage: Metric = (prediction, answer) => shareOf(numbers(prediction), paragraph(answer) ?? "");

/** Similarity of the first line that is code, comments and fences left out, to the right one, in whole percent. */
export const codeSimilarity: Metric = (prediction, answer) => {
  const line = prediction.replace(/^\n+/, "").split("\n").find((text) => !/[`#]|\/\//.test(text)) ?? "";
  if (line === answer) return 1;
  const percent = 100 * ratio(line, answer);
  // Halves go to the even neighbour, as Python rounds.
  const floor = Math.floor(percent);
  return (percent - floor === 0.5 ? floor + (floor % 2) : Math.round(percent)) / 100;
};

/** The seed's hit rate: 1 where the right answer stands in what was said, ignoring case. */
export const hit: Metric = (prediction, answer) => Number(answer.trim() !== "" && prediction.toLowerCase().includes(answer.trim().toLowerCase()));
