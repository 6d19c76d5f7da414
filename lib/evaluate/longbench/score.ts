import type { Dataset } from "./datasets.js";

/** What an answer is worth, 0 … 1: the best over the right answers, as LongBench's eval.py has it. */
export function score(dataset: Dataset, output: string, answers: readonly string[], classes: readonly string[]): number {
  const said = graded(dataset, output);
  return answers.reduce((best, answer) => Math.max(best, dataset.metric(said, answer, classes)), 0);
}

/** The part of an answer that counts. */
export function graded({ firstLine }: Dataset, output: string): string {
  return firstLine ? output.replace(/^\n+/, "").split("\n")[0]! : output;
}

/** LongBench-E's groups, by the length that a record states (words). */
export function lengthGroup(length: number): "0-4k" | "4-8k" | "8k+" {
  return length < 4000 ? "0-4k" : length < 8000 ? "4-8k" : "8k+";
}
