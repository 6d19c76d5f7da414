import { question, randomFacts, statement } from "../episodes.js";
import { tokensOf, type Maker } from "./line.js";
import { hide } from "./prose.js";

/** Facts hidden in prose; the response is the answer to a question about one and then questions and answers about all others. */
export const episode: Maker = (random, source, budget) => {
  const tokens = (text: string) => tokensOf(source, text);
  const drawn = randomFacts(random, random.between(2, Math.max(2, Math.min(10, budget >> 5))));
  // Facts, questions and answers take half of the tokens at most.
  const room = Math.floor(budget / 2 / tokens(`${statement(drawn[0]!)}${question(drawn[0]!)} ${drawn[0]!.answer}.`));
  const facts = drawn.slice(0, Math.max(1, room));
  // All are asked for, in another order: what will be asked is not known when a prompt is pruned, so every fact matters alike.
  const [first, ...others] = random.sample(facts, facts.length);
  const response = ` ${first!.answer}.${others.map((fact) => `${question(fact)} ${fact.answer}.`).join("")}`;
  const filler = budget - facts.reduce((sum, fact) => sum + tokens(statement(fact)), 0) - tokens(question(first!)) - tokens(response);
  const [text] = source.prose.excerpt(random, Math.max(8, filler), 0);
  return { kind: "episode", prompt: `${hide(random, text, facts.map(statement))}${question(first!)}`, response };
};
