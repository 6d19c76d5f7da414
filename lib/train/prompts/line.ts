import type { Random } from "../../random.js";
import type { Tokenizer } from "../../checkpoint/tokenizer.js";
import type { Prose } from "./prose.js";

/** What a made prompt is about. */
export const promptKinds = ["episode", "prose", "needles", "records", "chains", "questions", "summaries", "code", "dialogue", "repeat"] as const;
export type PromptKind = (typeof promptKinds)[number];

/** A line of a data file. */
export interface PromptLine {
  readonly kind: PromptKind;
  readonly prompt: string;
  readonly response: string;
  /** Not put as a user's message, to a chat model neither: text that goes on. */
  readonly plain?: true;
}

/** What makers of prompts draw from. */
export interface Source {
  readonly prose: Prose;
  readonly tokenizer: Tokenizer;
}

/** Makes one prompt whose prompt and response have about `budget` tokens. */
export type Maker = (random: Random, source: Source, budget: number) => PromptLine;

/** Tokens of a text within another. */
export const tokensOf = ({ tokenizer }: Source, text: string): number => tokenizer.encode(text, { addSpecialTokens: false }).length;

/** Items drawn one after the other while their tokens fit into `budget`; at least one. */
export function asManyAsFit(source: Source, budget: number, draw: (index: number) => string): string[] {
  const items: string[] = [];
  for (let left = budget; ; ) {
    const item = draw(items.length);
    left -= tokensOf(source, item);
    if (left < 0 && items.length > 0) return items;
    items.push(item);
    if (items.length >= 2000) return items;
  }
}
