import type { Tokenizer } from "../checkpoint/tokenizer.js";
import { Random } from "../random.js";
import { question, randomFacts, statement } from "./episodes.js";
import { phaseAt, type Recipe } from "./recipe.js";

/** Sequences for one training step. */
export interface Batch {
  readonly sequences: number;
  readonly length: number;
  /** `[sequences * length]` */
  readonly ids: BigInt64Array;
  /** The next token of each, same shape. */
  readonly targets: BigInt64Array;
  /** What each target counts in the loss, same shape; they add up to 1. */
  readonly weights: Float32Array;
  /** What each target is, same shape: an index into `kinds`. */
  readonly kinds: Uint8Array;
}

/** What a target may be: a token of prose, of an episode, a digit to be recalled, a token of a repeated string. */
export const kinds = ["prose", "episode", "answer", "repeat"] as const;
export type Kind = (typeof kinds)[number];

/** One sequence of length + 1 tokens, and what predicting each but the first counts. */
interface Sequence {
  readonly kind: Kind;
  readonly ids: number[];
  readonly weights: number[];
}

/** Makes training sequences; the same step of the same recipe is always the same. */
export class BatchSource {
  private readonly endsSentence: boolean[];
  private readonly pieces = new Map<string, number[]>();

  /** @param prose ids of all training documents, one after the other */
  constructor(
    private readonly recipe: Recipe,
    private readonly tokenizer: Tokenizer,
    private readonly prose: Uint16Array,
  ) {
    this.endsSentence = Array.from({ length: tokenizer.vocabSize }, (_, id) => /[.!?]$/.test(tokenizer.token(id)));
  }

  /** The batch for a step that starts after `tokens` tokens. */
  batch(step: number, tokens: number): Batch {
    const { length, tokensPerStep, prose, episodes } = phaseAt(this.recipe, tokens);
    const random = new Random(this.recipe.seed, step);
    const sequences = Math.max(1, Math.round(tokensPerStep / length));
    const size = sequences * length;
    const batch = { sequences, length, ids: new BigInt64Array(size), targets: new BigInt64Array(size), weights: new Float32Array(size), kinds: new Uint8Array(size) };
    for (let row = 0; row < sequences; row++) {
      // Stratified: every step has the phase's shares, whatever its number of sequences.
      const share = (row + random.next()) / sequences;
      const sequence =
        share < prose ? this.proseSequence(random, length) : share < prose + episodes ? this.episode(random, length) : this.repeat(random, length);
      for (let t = 0; t < length; t++) {
        batch.ids[row * length + t] = BigInt(sequence.ids[t]!);
        batch.targets[row * length + t] = BigInt(sequence.ids[t + 1]!);
        const weight = (batch.weights[row * length + t] = sequence.weights[t]!);
        batch.kinds[row * length + t] = kinds.indexOf(sequence.kind === "episode" && weight > 1 ? "answer" : sequence.kind);
      }
    }
    const sum = batch.weights.reduce((a, b) => a + b, 0);
    batch.weights.forEach((weight, i) => (batch.weights[i] = weight / sum));
    return batch;
  }

  private excerpt(random: Random, length: number): number[] {
    const start = random.int(this.prose.length - length);
    return Array.from(this.prose.subarray(start, start + length));
  }

  private proseSequence(random: Random, length: number): Sequence {
    return { kind: "prose", ids: this.excerpt(random, length + 1), weights: new Array<number>(length).fill(1) };
  }

  /**
   * A random string, repeated to the end; the first copy cannot be predicted and does not count. Half of the strings
   * are over a few different tokens only: there the last token alone does not tell the next one, as with keys that
   * are all stated in the same words.
   */
  private repeat(random: Random, length: number): Sequence {
    const period = random.between(4, Math.max(4, length >> 1));
    const token = () => 1 + random.int(this.tokenizer.vocabSize - 1);
    const alphabet = random.next() < 0.5 ? null : Array.from({ length: random.between(4, Math.max(4, period >> 1)) }, token);
    const string = Array.from({ length: period }, () => (alphabet ? random.pick(alphabet) : token()));
    const ids = Array.from({ length: length + 1 }, (_, t) => string[t % period]!);
    return { kind: "repeat", ids, weights: Array.from({ length }, (_, t) => (t + 1 < period ? 0 : 1)) };
  }

  /** Facts hidden in prose at sentence ends, some of them asked for at the end. */
  private episode(random: Random, length: number, most = Math.max(2, Math.min(14, length >> 5))): Sequence {
    if (most < 1) throw new Error(`sequence length: ${length} (too short for a fact and its question)`);
    const facts = randomFacts(random, random.between(Math.min(2, most), most));
    // Long sequences ask for most of their facts: a few digits in a thousand tokens would teach little.
    const asked = random.sample(facts, random.between(length > 512 ? Math.ceil(facts.length / 2) : 1, length > 512 ? facts.length : Math.min(facts.length, 4)));
    const ids: number[] = [];
    const weights: number[] = [];
    const push = (tokens: readonly number[], weight: number) => {
      for (const token of tokens) {
        ids.push(token);
        weights.push(weight);
      }
    };
    const tail = asked.map((fact) => ({ ask: this.encode(question(fact)), answer: this.encode(` ${fact.answer}`), stop: this.encode(".") }));
    const tailLength = tail.reduce((sum, { ask, answer, stop }) => sum + ask.length + answer.length + stop.length, 0);
    const statements = facts.map((fact) => this.encode(statement(fact)));
    const filler = length + 1 - tailLength - statements.reduce((sum, tokens) => sum + tokens.length, 0);
    if (filler < 0) return this.episode(random, length, most - 1);
    const prose = this.excerpt(random, filler);
    const cuts = statements.map(() => this.sentenceEnd(prose, random.int(filler + 1))).sort((a, b) => a - b);
    let from = 0;
    statements.forEach((tokens, i) => {
      push(prose.slice(from, cuts[i]), 1);
      push(tokens, 1);
      from = cuts[i]!;
    });
    push(prose.slice(from), 1);
    for (const { ask, answer, stop } of tail) {
      push(ask, 1);
      push(answer, this.recipe.answerWeight);
      push(stop, 1);
    }
    return { kind: "episode", ids, weights: weights.slice(1) };
  }

  /** The nearest place after `at` where a sentence ends, or `at` itself. */
  private sentenceEnd(prose: readonly number[], at: number): number {
    for (let i = at; i < Math.min(prose.length, at + 40); i++) if (i > 0 && this.endsSentence[prose[i - 1]!]) return i;
    return at;
  }

  private encode(text: string): number[] {
    let ids = this.pieces.get(text);
    if (!ids) {
      ids = this.tokenizer.encode(text, { addSpecialTokens: false });
      if (this.pieces.size < 1e5) this.pieces.set(text, ids);
    }
    return ids;
  }
}
