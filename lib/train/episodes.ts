import type { Tokenizer } from "../checkpoint/tokenizer.js";
import { Random } from "../random.js";

/** A fact that can be hidden in prose and asked for: "The pass key of Boston is 48213." */
export interface Fact {
  /** What is stated and asked: "pass key of Boston". */
  readonly subject: string;
  /** Five digits. */
  readonly answer: string;
}

const kinds = ["pass key", "pass key", "pass key", "locker code", "badge number", "secret number"];

const places = (
  "Amsterdam Ankara Antwerp Athens Atlanta Auckland Austin Baghdad Baltimore Bangkok Barcelona Basel Belfast Belgrade Bergen Berlin Bern Bogota " +
  "Bologna Bombay Bonn Bordeaux Boston Bremen Bristol Brussels Budapest Buffalo Cairo Calcutta Canton Cardiff Charleston Chicago Cologne Corinth " +
  "Cork Dallas Damascus Delhi Denver Detroit Dover Dresden Dublin Durham Edinburgh Florence Fresno Galway Geneva Genoa Ghent Glasgow Granada " +
  "Hamburg Hanover Havana Helsinki Houston Istanbul Jakarta Jerusalem Kabul Kiev Kingston Kyoto Lagos Leeds Leipzig Leon Lima Limerick Lisbon " +
  "Liverpool London Lyon Madrid Malaga Manila Marseille Memphis Mexico Milan Mobile Monaco Montreal Moscow Munich Nairobi Nantes Naples Nashville " +
  "Newport Norfolk Odessa Omaha Oporto Osaka Oslo Ottawa Oxford Palermo Panama Paris Pisa Plymouth Portland Prague Quebec Quito Reno Richmond Riga " +
  "Rome Rouen Salem Santiago Seattle Seville Shanghai Sofia Stockholm Sydney Tampa Tehran Tokyo Toledo Toronto Trieste Tripoli Tucson Tunis Turin " +
  "Utrecht Valencia Venice Verona Vienna Warsaw York Zurich"
).split(" ");

/** `count` facts about different places, with random answers. `kind` fixes what is asked for. */
export function randomFacts(random: Random, count: number, kind?: string): Fact[] {
  return random.sample(places, count).map((place) => ({
    subject: `${kind ?? random.pick(kinds)} of ${place}`,
    answer: Array.from({ length: 5 }, () => random.int(10)).join(""),
  }));
}

/** The sentence that hides a fact in prose, with the space that parts it from what stands before. */
export const statement = ({ subject, answer }: Fact): string => ` The ${subject} is ${answer}.`;

/** The question in the wording of the statement; the answer follows after a space. */
export const question = ({ subject }: Fact): string => ` Recall: the ${subject} is`;

/** A prompt that asks for one of several pass keys hidden in prose. */
export interface RetrievalPrompt {
  /** Token ids, exactly as many as asked for; they end with the question. */
  readonly ids: number[];
  /** Ids of the right continuation: a space and five digits. */
  readonly answer: number[];
  /** Facts in the prompt. */
  readonly facts: number;
}

/**
 * @param prose ids of text that the model has not seen in training
 * @param seeds the same seeds give the same prompt
 */
export function retrievalPrompt(tokenizer: Tokenizer, prose: readonly number[], length: number, ...seeds: readonly number[]): RetrievalPrompt {
  const random = new Random(...seeds);
  const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });
  const facts = randomFacts(random, Math.max(2, Math.min(5, length >> 5)), "pass key");
  const asked = random.pick(facts);
  const tail = encode(question(asked));
  const statements = facts.map((fact) => encode(statement(fact)));
  const filler = length - tail.length - statements.reduce((sum, tokens) => sum + tokens.length, 0);
  if (filler < 0 || filler > prose.length) throw new Error(`prompt length: ${length} (too short for ${facts.length} facts, or longer than the prose of ${prose.length} tokens)`);
  const start = random.int(prose.length - filler + 1);
  const cuts = statements.map(() => random.int(filler + 1)).sort((a, b) => a - b);
  const ids = statements.flatMap((tokens, i) => [...prose.slice(start + (cuts[i - 1] ?? 0), start + cuts[i]!), ...tokens]);
  ids.push(...prose.slice(start + cuts.at(-1)!, start + filler), ...tail);
  return { ids, answer: encode(` ${asked.answer}`), facts: facts.length };
}
