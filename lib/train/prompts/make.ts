import type { Tokenizer } from "../../checkpoint/tokenizer.js";
import { Random } from "../../random.js";
import { code } from "./code.js";
import { dialogue } from "./dialogue.js";
import { episode } from "./episode.js";
import { promptKinds, type Maker, type PromptKind, type PromptLine } from "./line.js";
import { chains, needles, records } from "./needles.js";
import { Prose } from "./prose.js";
import { continuation, questions, repeat, summaries } from "./texts.js";

export interface PromptOptions {
  readonly tokenizer: Tokenizer;
  /** Documents that prose is taken from. */
  readonly documents: readonly string[];
  readonly count: number;
  /** Tokens of prompt and response together, at most. */
  readonly length: number;
  /** Share of episodes of hidden facts, 0 … 1; the rest is prose and its continuation. Prompts are between half of `length` and all of it long. */
  readonly episodes: number;
  /** Kinds instead, in turn, equally often each. Prompts are between a quarter of `length` and all of it long. */
  readonly kinds?: readonly PromptKind[];
  readonly seed: number;
}

const makers: Readonly<Record<PromptKind, Maker>> = { episode, prose: continuation, needles, records, chains, questions, summaries, code, dialogue, repeat };

/** Prompts and responses to measure saliency on. The same options give the same prompts; with more of them, the first ones stay the same. */
export function* makePrompts({ count, length, episodes, kinds, seed, ...options }: PromptOptions): Generator<PromptLine> {
  if (!Number.isSafeInteger(length) || length < 64) throw new Error(`prompt length: ${length} (must be an integer of at least 64)`);
  if (!(episodes >= 0 && episodes <= 1)) throw new Error(`share of episodes: ${episodes} (must be 0 … 1)`);
  const unknown = kinds?.find((kind) => !promptKinds.includes(kind));
  if (unknown !== undefined || kinds?.length === 0) throw new Error(`prompt kinds: ${unknown ?? "none"} (known: ${promptKinds.join(", ")})`);
  if (kinds && length < 256) throw new Error(`prompt length: ${length} (prompts of several kinds need 256 tokens at least)`);
  const source = { prose: new Prose(options.documents, options.tokenizer), tokenizer: options.tokenizer };
  for (let index = 0; index < count; index++) {
    const random = new Random(seed, index);
    const budget = random.between(kinds ? Math.max(192, length >> 2) : length >> 1, length);
    // Stratified: the first of any number of lines hold the same share of each kind.
    const kind = kinds ? kinds[index % kinds.length]! : Math.floor((index + 1) * episodes) > Math.floor(index * episodes) ? "episode" : "prose";
    yield makers[kind](random, source, budget);
  }
}
