import type { Random } from "../../random.js";
import { asManyAsFit, tokensOf, type Maker } from "./line.js";
import { hide } from "./prose.js";
import { colours, digits, distinct, givenNames, hex, surnames, things, towns } from "./words.js";

/** How something is stated and asked for: a subject's value of one kind. */
interface Wording {
  readonly subject: (random: Random) => string;
  readonly value: (random: Random) => string;
  readonly state: (subject: string, value: string) => string;
  readonly ask: string;
}

const person = (random: Random) => `${random.pick(givenNames)} ${random.pick(surnames)}`;
const object = (random: Random) => `${random.pick(colours)} ${random.pick(things)}`;
const number = (random: Random) => digits(random, random.between(3, 9));
const code = (random: Random) => `${hex(random, 4)}-${hex(random, 4)}-${hex(random, 6)}`;
const name = (random: Random) => `${random.pick(colours)} ${random.pick(things)}`;

const wordings: readonly Wording[] = [
  { subject: person, value: number, state: (s, v) => `The locker number of ${s} is ${v}.`, ask: "locker number of each person" },
  { subject: person, value: name, state: (s, v) => `${s} goes by the code name ${v}.`, ask: "code name of each person" },
  { subject: person, value: number, state: (s, v) => `Call ${s} on extension ${v}.`, ask: "extension of each person" },
  { subject: (random) => random.pick(towns), value: number, state: (s, v) => `In ${s} the survey counted ${v} houses.`, ask: "number of houses counted in each town" },
  { subject: (random) => random.pick(towns), value: code, state: (s, v) => `The archive of ${s} is filed under ${v}.`, ask: "file mark of each town's archive" },
  { subject: object, value: number, state: (s, v) => `Remember: the ${s} weighs exactly ${v} grams.`, ask: "weight of each object" },
  { subject: object, value: (random) => random.pick(towns), state: (s, v) => `The ${s} was last seen in ${v}.`, ask: "place where each object was last seen" },
  { subject: (random) => hex(random, 6), value: code, state: (s, v) => `Entry ${s} points to ${v}.`, ask: "entry that each number points to" },
  { subject: (random) => `${random.pick(things)}-${random.pick(towns).toLowerCase()}`, value: number, state: (s, v) => `A secret figure for ${s} is: ${v}.`, ask: "secret figure for each name" },
  { subject: person, value: (random) => `${number(random)} and ${number(random)}`, state: (s, v) => `${s} drew the numbers ${v}.`, ask: "numbers that each person drew" },
];

const dull = ["The road is long.", "Rain falls on the roof.", "The lamp is lit.", "Morning comes again.", "A dog barks once.", "The river runs on.", "Nobody is at the gate.", "Bread is on the table."];

/**
 * Statements of one kind hidden in prose, in a few dull sentences repeated, or among more of their kind; the response states them again in
 * another order. What a question would ask for is not known when a prompt is pruned: every statement matters alike.
 */
export const needles: Maker = (random, source, budget) => {
  const wording = random.pick(wordings);
  const most = Math.max(1, Math.min(6, Math.floor(budget / 96)));
  const subjects = distinct(random, random.between(1, most), wording.subject);
  const statements = subjects.map((subject) => wording.state(subject, wording.value(random)));
  const question = `\n\nWhat is the ${wording.ask} that the text mentions? State ${statements.length === 1 ? "it" : "them all"} in the words of the text.`;
  const response = random.sample(statements, statements.length).join(" ");
  const filler = Math.max(16, budget - 2 * tokensOf(source, ` ${response}`) - tokensOf(source, question) - 16);
  const haystack = random.next();
  const text = haystack < 0.6 ? source.prose.excerpt(random, filler, 0)[0] : asManyAsFit(source, filler, () => random.pick(dull)).join(" ");
  return { kind: "needles", prompt: `Read this text; a question follows.\n\n${hide(random, text, statements.map((each) => ` ${each}`))}${question}`, response };
};

/** Nothing but statements of one kind, of which a few are asked for by name. */
export const records: Maker = (random, source, budget) => {
  const wording = random.pick(wordings);
  const used = new Set<string>();
  const lines = asManyAsFit(source, budget - 160, () => {
    let subject = wording.subject(random);
    for (let tries = 0; used.has(subject) && tries < 20; tries++) subject = wording.subject(random);
    used.add(subject);
    return wording.state(subject, wording.value(random));
  });
  const asked = random.sample(lines, Math.min(lines.length, 3));
  return {
    kind: "records",
    prompt: `Keep this list in mind.\n\n${lines.join(random.next() < 0.5 ? "\n" : " ")}\n\nNow state ${asked.length} of its lines again, as they are: lines ${asked.map((line) => lines.indexOf(line) + 1).join(", ")}.`,
    response: asked.join(" "),
  };
};

/** Names that hold a number by way of other names, hidden in prose or dull sentences; the response says who holds what. */
export const chains: Maker = (random, source, budget) => {
  const names = random.sample(givenNames, random.between(3, Math.max(3, Math.min(8, budget >> 6))));
  const chain = random.between(2, names.length);
  const values = [digits(random, 5), digits(random, 5)];
  const link = (i: number) => (i === 0 || i === chain ? `Box ${names[i]} is filled with ${values[i === 0 ? 0 : 1]} beads.` : `Box ${names[i]} is filled with as many beads as box ${names[i - 1]}.`);
  const statements = names.map((_, i) => link(i));
  const held = names.map((name, i) => `Box ${name} holds ${values[i < chain ? 0 : 1]} beads.`);
  const filler = Math.max(16, budget - tokensOf(source, statements.join(" ") + held.join(" ")) - 48);
  const text = random.next() < 0.5 ? source.prose.excerpt(random, filler, 0)[0] : asManyAsFit(source, filler, () => random.pick(dull)).join(" ");
  return { kind: "chains", prompt: `${inOrder(random, text, statements)}\n\nHow many beads does each box hold?`, response: held.join(" ") };
};

/** Statements at random ends of sentences, their order kept. */
function inOrder(random: Random, text: string, statements: readonly string[]): string {
  const marked = hide(random, text, statements.map(() => " \u0000"));
  let next = 0;
  return marked.replaceAll("\u0000", () => statements[next++]!);
}
