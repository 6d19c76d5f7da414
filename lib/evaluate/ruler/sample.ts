import type { Random } from "../../random.js";

/** A generated prompt: what may be pruned alone, what is asked, how the answer begins, what is right. */
export interface RulerSample {
  readonly context: string;
  readonly question: string;
  readonly answerPrefix: string;
  readonly answers: readonly string[];
}

/**
 * Makes a sample with `size` units of haystack: words of prose, lines, documents. The same random numbers and size give the same sample.
 */
export type RulerMaker = (random: Random, size: number, index: number) => RulerSample;

/** How a task is made and graded. */
export interface RulerTask {
  readonly make: RulerMaker;
  /** Units of haystack at least. */
  readonly fewest: number;
  readonly maxNewTokens: number;
  readonly metric: "string_match_all" | "string_match_part";
}
