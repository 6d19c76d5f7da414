import { classification, codeSimilarity, counting, f1, passage, rougeL, type Metric } from "./longbench/metrics.js";

export type { Metric } from "./longbench/metrics.js";

/** How what was said is graded against all right answers, 0 … 1. */
export type Grading = (said: string, answers: readonly string[], classes: readonly string[]) => number;

/** The best over the right answers. */
const best = (metric: Metric): Grading => (said, answers, classes) => answers.reduce((most, answer) => Math.max(most, metric(said, answer, classes)), 0);

/** As RULER's evaluate.py cleans what was said before it is matched. */
const cleaned = (said: string): string => said.trim().replace(/[\x00-\x1f]/g, "\n").trim().toLowerCase();

/**
 * Gradings by name. `string_match_all`: the share of the right answers that stand in what was said; `string_match_part`: 1 where any of them does (both
 * RULER, arXiv:2404.06654); `exact`: what was said, without white space around it, is a right answer; `starts_with`: it begins with one; the others are LongBench's.
 */
export const gradings = {
  string_match_all: (said: string, answers: readonly string[]) => answers.filter((answer) => cleaned(said).includes(answer.toLowerCase())).length / answers.length,
  string_match_part: (said: string, answers: readonly string[]) => Number(answers.some((answer) => cleaned(said).includes(answer.toLowerCase()))),
  exact: (said: string, answers: readonly string[]) => Number(answers.some((answer) => said.trim() === answer.trim())),
  starts_with: (said: string, answers: readonly string[]) => Number(answers.some((answer) => said.trimStart().toLowerCase().startsWith(answer.trim().toLowerCase()))),
  f1: best(f1),
  rouge_l: best(rougeL),
  classification: best(classification),
  code_similarity: best(codeSimilarity),
  count: best(counting),
  passage: best(passage),
} as const satisfies Readonly<Record<string, Grading>>;

export type GradingName = keyof typeof gradings;
export const gradingNames = Object.keys(gradings) as [GradingName, ...GradingName[]];

/** @throws on a name that is not known */
export function gradingName(name: string): GradingName {
  if (Object.hasOwn(gradings, name)) return name as GradingName;
  throw new Error(`metric: ${name} (known: ${gradingNames.join(", ")})`);
}
