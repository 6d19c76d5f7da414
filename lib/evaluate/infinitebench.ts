import type { ModelConfig } from "../checkpoint/types.js";
import { Random } from "../random.js";
import { askedItem, parted, turnsOf, type Asked, type Asking, type Turn } from "./asked.js";
import type { EvaluationItem, EvaluationTask } from "./task.js";

/** The retrieval tasks of InfiniteBench (arXiv:2402.13718), made at any length. */
export const infiniteTaskNames = ["passkey", "number_string", "kv_retrieval"] as const;
export type InfiniteTaskName = (typeof infiniteTaskNames)[number];

export interface InfiniteOptions {
  readonly tasks: readonly InfiniteTaskName[];
  /** Tokens of prompt and answer together. */
  readonly lengths: readonly number[];
  readonly samples: number;
  readonly seeds: readonly number[];
  /**
   * Questions put to one context; default 1. Several: as SCBench (arXiv:2412.10319) puts them, each after the one before and its right answer
   * (`conversation`), or each anew to the same prefilled context (`requests`). Only `kv_retrieval` has more than one thing to ask for.
   */
  readonly questions?: number;
  readonly asking: Omit<Asking, "stopTokens">;
  readonly config: Pick<ModelConfig, "eosTokenIds" | "maxPositions">;
}

type Made = Pick<Asked, "context" | "turns">;

const NOISE = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.";
const important = (context: string) => `There is an important info hidden inside a lot of irrelevant text. Find it and memorize them. I will quiz you about the important information there.\n\n${context}\n\n`;

/** A number in noise. @param size lines of noise */
function hiddenNumber(random: Random, size: number, name: "passkey" | "number_string"): Made {
  const string = name === "number_string";
  // InfiniteBench's number strings repeat their digits, so that they are told from any other number.
  const digits = string ? Array.from({ length: 10 }, () => String(random.int(10)).repeat(random.between(1, 3))).join("").slice(0, 10) : String(random.between(10000, 99999));
  const what = string ? "sequence of digits" : "pass key";
  const lines = new Array<string>(size).fill(NOISE);
  lines.splice(random.int(size + 1), 0, `The ${what} is ${digits}. Remember it. ${digits} is the ${what}.`);
  return {
    context: important(lines.join(" ")),
    turns: [{ question: `What is the ${what}?`, answerPrefix: ` The ${what} is`, answers: [digits], grading: "string_match_all", maxNewTokens: string ? 24 : 12 }],
  };
}

/** Values of keys in a JSON object. @param size pairs of key and value */
function keysAndValues(random: Random, size: number, questions: number): Made {
  const uuid = () => [8, 4, 4, 4, 12].map((digits) => Array.from({ length: digits }, () => random.int(16).toString(16)).join("")).join("-");
  const pairs = Array.from({ length: Math.max(size, questions) }, () => [uuid(), uuid()] as const);
  const turns = random.sample(pairs, questions).map(([key, value]): Turn => ({
    question: `Key: "${key}"`, answerPrefix: `\nThe value associated with the specified key is: "`, answers: [value], grading: "string_match_all", maxNewTokens: 50,
  }));
  return { context: `Extract the value corresponding to the specified key in the JSON object below.\n\nJSON data:\n{${pairs.map(([key, value]) => `"${key}": "${value}"`).join(", ")}}\n\n`, turns };
}

/** One task each. @throws on a length that the model has not, that is too short, or more questions than a task has */
export function infiniteTasks({ tasks, lengths, samples, seeds, questions = 1, asking, config }: InfiniteOptions): EvaluationTask[] {
  return tasks.map((name) => {
    if (questions > 1 && name !== "kv_retrieval") throw new Error(`questions: ${questions} (${name} has one thing to ask for; kv_retrieval has many)`);
    const make = (random: Random, size: number) => (name === "kv_retrieval" ? keysAndValues(random, size, questions) : hiddenNumber(random, size, name));
    const items = lengths.flatMap((length): EvaluationItem[] => {
      if (length > config.maxPositions) throw new Error(`length: ${length} (the model has ${config.maxPositions} positions)`);
      const size = fitting(name, length, (count) => tokens(make(new Random(0, length, 0), count), asking) <= length);
      return seeds.flatMap((seed) => Array.from({ length: samples }, (_, index) => {
        let made = make(new Random(seed, length, index), size);
        for (let fewer = size - 1; fewer > 0 && tokens(made, asking) > length; fewer--) made = make(new Random(seed, length, index), fewer);
        return askedItem({ id: `${length}/${seed}/${index}`, group: { length, seed }, ...made }, { ...asking, stopTokens: config.eosTokenIds }, true);
      }));
    });
    const several = questions > 1 ? { questions, turns: turnsOf(asking) } : {};
    return { name: questions > 1 ? `turns-${name}` : `infinitebench-${name}`, settings: { query: asking.query, chat: asking.chat !== null, ...several, version: 1 }, metric: "score", better: "higher", items };
  });
}

/** Tokens of context, questions and answers. */
function tokens({ context, turns }: Made, { tokenizer, chat }: Pick<Asking, "tokenizer" | "chat">): number {
  const parts = turns.map((turn) => parted(context, turn, chat));
  const count = (text: string, special: boolean) => tokenizer.encode(text, { addSpecialTokens: special }).length;
  return count(parts[0]!.before, chat === null) + parts.reduce((sum, { after }, i) => sum + count(after, false) + turns[i]!.maxNewTokens, 0);
}

/** The largest size that fits. */
function fitting(name: string, length: number, fits: (size: number) => boolean): number {
  if (!fits(1)) throw new Error(`length: ${length} (too short for ${name})`);
  let [low, high] = [1, 2];
  while (fits(high)) [low, high] = [high, 2 * high];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}
