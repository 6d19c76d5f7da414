import type { Tokenizer } from "../checkpoint/tokenizer.js";
import { Random } from "../random.js";
import { question, randomFacts, statement } from "./episodes.js";

/** A line of a data file. */
export interface PromptLine {
  readonly kind: "episode" | "prose";
  readonly prompt: string;
  readonly response: string;
}

export interface PromptOptions {
  readonly tokenizer: Tokenizer;
  /** Documents that prose is taken from. */
  readonly documents: readonly string[];
  readonly count: number;
  /** Tokens of prompt and response together, at most; prompts are between half of it and all of it long. */
  readonly length: number;
  /** Share of episodes of hidden facts, 0 … 1; the rest is prose and its continuation. */
  readonly episodes: number;
  readonly seed: number;
}

/** Where a sentence ends and another begins. */
const SENTENCE_END = /[.!?]["')\]]*(?=\s)/g;

/**
 * Prompts and responses to measure saliency on: facts hidden in prose, the response being the answer to a question about one
 * and then questions and answers about all others; and prose with its continuation.
 */
export function* makePrompts(options: PromptOptions): Generator<PromptLine> {
  const { count, length, episodes, seed } = options;
  if (!Number.isSafeInteger(length) || length < 64) throw new Error(`prompt length: ${length} (must be an integer of at least 64)`);
  if (!(episodes >= 0 && episodes <= 1)) throw new Error(`share of episodes: ${episodes} (must be 0 … 1)`);
  const prose = new Prose(options.documents, options.tokenizer);
  for (let index = 0; index < count; index++) {
    const random = new Random(seed, index);
    const budget = random.between(length >> 1, length);
    // Stratified: the first of any number of lines hold the same share of episodes.
    const isEpisode = Math.floor((index + 1) * episodes) > Math.floor(index * episodes);
    yield isEpisode ? episode(random, prose, options.tokenizer, budget) : continuation(random, prose, budget);
  }
}

function continuation(random: Random, prose: Prose, budget: number): PromptLine {
  const response = Math.max(8, Math.min(64, budget >> 3));
  const [prompt, rest] = prose.excerpt(random, budget - response, response);
  return { kind: "prose", prompt, response: rest };
}

function episode(random: Random, prose: Prose, tokenizer: Tokenizer, budget: number): PromptLine {
  const tokens = (text: string) => tokenizer.encode(text, { addSpecialTokens: false }).length;
  const drawn = randomFacts(random, random.between(2, Math.max(2, Math.min(10, budget >> 5))));
  // Facts, questions and answers take half of the tokens at most.
  const room = Math.floor(budget / 2 / tokens(`${statement(drawn[0]!)}${question(drawn[0]!)} ${drawn[0]!.answer}.`));
  const facts = drawn.slice(0, Math.max(1, room));
  // All are asked for, in another order: what will be asked is not known when a prompt is pruned, so every fact matters alike.
  const [first, ...others] = random.sample(facts, facts.length);
  const response = ` ${first!.answer}.${others.map((fact) => `${question(fact)} ${fact.answer}.`).join("")}`;
  const filler = budget - facts.reduce((sum, fact) => sum + tokens(statement(fact)), 0) - tokens(question(first!)) - tokens(response);
  const [text] = prose.excerpt(random, Math.max(8, filler), 0);
  return { kind: "episode", prompt: `${hide(random, text, facts.map(statement))}${question(first!)}`, response };
}

/** `text` with `sentences` put at random places where a sentence ends, or at its end where none does. */
export function hide(random: Random, text: string, sentences: readonly string[]): string {
  const ends = [...text.matchAll(SENTENCE_END)].map((match) => match.index + match[0].length);
  const places = sentences.map((sentence) => ({ sentence, at: ends.length ? random.pick(ends) : text.length }));
  places.sort((a, b) => a.at - b.at);
  let result = "";
  let from = 0;
  for (const { sentence, at } of places) {
    result += text.slice(from, at) + sentence;
    from = at;
  }
  return result + text.slice(from);
}

/** Draws stretches of prose that begin with a sentence. */
export class Prose {
  private readonly text: string;

  constructor(
    documents: readonly string[],
    private readonly tokenizer: Tokenizer,
  ) {
    this.text = documents.join("\n\n");
  }

  /** Two neighbouring stretches of `first` and `second` tokens, give or take a token where they are encoded again. */
  excerpt(random: Random, first: number, second: number): [string, string] {
    const tokens = first + second;
    // English prose has about four characters a token; more are taken until it is enough.
    for (let characters = 6 * tokens + 400; ; characters *= 2) {
      if (characters > this.text.length) throw new Error(`prose: ${this.text.length} characters (too few for an excerpt of ${tokens} tokens)`);
      const start = random.int(this.text.length - characters);
      const piece = this.text.slice(start, start + characters);
      const begin = piece.search(/(?<=[.!?]["')\]]*\s+)\S/);
      const ids = this.tokenizer.encode(piece.slice(Math.max(0, begin)), { addSpecialTokens: false });
      if (ids.length < tokens) continue;
      // Bytes of a character that was cut in two decode to the replacement character.
      const decode = (from: number, to: number) => this.tokenizer.decode(ids.slice(from, to)).replace(/^\uFFFD+|\uFFFD+$/g, "");
      return [decode(0, first), decode(first, tokens)];
    }
  }
}
