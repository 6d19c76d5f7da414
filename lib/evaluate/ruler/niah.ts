import type { Random } from "../../random.js";
import type { RulerMaker, RulerTask } from "./sample.js";
import { adjectives, nouns } from "./words.js";

interface Needles {
  /** `noise`: the same five sentences over and over; `essay`: prose; `needle`: more needles. */
  readonly haystack: "noise" | "essay" | "needle";
  readonly keys: "words" | "uuids";
  readonly values: "numbers" | "uuids";
  /** How many keys there are, values each of them has, and keys that are asked for. */
  readonly count?: number;
  readonly valuesEach?: number;
  readonly asked?: number;
}

/** The eight needle tasks of RULER (arXiv:2404.06654, table 5 and synthetic.yaml). */
export const needleTasks: Readonly<Record<string, Needles>> = {
  niah_single_1: { haystack: "noise", keys: "words", values: "numbers" },
  niah_single_2: { haystack: "essay", keys: "words", values: "numbers" },
  niah_single_3: { haystack: "essay", keys: "words", values: "uuids" },
  niah_multikey_1: { haystack: "essay", keys: "words", values: "numbers", count: 4 },
  niah_multikey_2: { haystack: "needle", keys: "words", values: "numbers" },
  niah_multikey_3: { haystack: "needle", keys: "uuids", values: "uuids" },
  niah_multivalue: { haystack: "essay", keys: "words", values: "numbers", valuesEach: 4 },
  niah_multiquery: { haystack: "essay", keys: "words", values: "numbers", count: 4, asked: 4 },
};

export const NOISE = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.";

/** Places of needles in prose, in percent of its sentences: RULER's forty. */
const depths = Array.from({ length: 40 }, (_, i) => Math.round((100 * i) / 39));

/** @param prose words of prose, in order */
export function needleTask({ haystack, keys, values, count = 1, valuesEach = 1, asked = 1 }: Needles, prose: readonly string[]): RulerTask {
  const total = count * valuesEach;
  const line = (key: string, value: string) => `One of the special magic ${values} for ${key} is: ${value}.`;
  const make: RulerMaker = (random, size) => {
    const chosen = Array.from({ length: count }, () => ({ key: drawn(random, keys), values: Array.from({ length: valuesEach }, () => drawn(random, values)) }));
    const needles = random.sample(chosen.flatMap(({ key, values: all }) => all.map((value) => line(key, value))), total);
    const text = haystack === "essay"
      ? inProse(random, excerpt(random, prose, size), needles)
      : inLines(random, Array.from({ length: size }, () => (haystack === "noise" ? NOISE : line(drawn(random, keys), drawn(random, values)))), needles);
    const queried = random.sample(chosen, asked);
    const names = queried.map(({ key }) => key);
    const query = names.length > 1 ? `${names.slice(0, -1).join(", ")}, and ${names.at(-1)}` : names[0]!;
    const one = asked * valuesEach === 1;
    const what = one ? values.slice(0, -1) : values;
    return {
      context: `${one ? "A" : "Some"} special magic ${what} ${one ? "is" : "are"} hidden within the following text. Make sure to memorize it. I will quiz you about the ${what} afterwards.\n${text}\n`,
      question: `What ${one ? "is the" : "are all the"} special magic ${what} for ${query} mentioned in the provided text?`,
      answerPrefix: ` The special magic ${what} for ${query} mentioned in the provided text ${one ? "is" : "are"}`,
      answers: queried.flatMap(({ values: all }) => all),
    };
  };
  return { make, fewest: haystack === "essay" ? 8 : Math.max(1, total), maxNewTokens: 128, metric: "string_match_all" };
}

function drawn(random: Random, kind: "words" | "numbers" | "uuids"): string {
  if (kind === "words") return `${random.pick(adjectives)}-${random.pick(nouns)}`;
  if (kind === "numbers") return String(random.between(1e6, 1e7 - 1));
  const hex = (digits: number) => Array.from({ length: digits }, () => random.int(16).toString(16)).join("");
  return `${hex(8)}-${hex(4)}-4${hex(3)}-${"89ab"[random.int(4)]}${hex(3)}-${hex(12)}`;
}

/** `size` words of prose from a random place on; from the end it goes on at the beginning. */
export function excerpt(random: Random, prose: readonly string[], size: number): string {
  const start = random.int(prose.length);
  return Array.from({ length: size }, (_, i) => prose[(start + i) % prose.length]!).join(" ");
}

/** Sentences of needles between those of prose, at different ones of forty depths. */
export function inProse(random: Random, text: string, needles: readonly string[]): string {
  const sentences = text.split(/(?<=[.!?]["')\]]*) /);
  const places = random.sample(depths, needles.length).map((depth) => Math.floor((sentences.length * depth) / 100)).sort((a, b) => a - b);
  let from = 0;
  const parts = needles.flatMap((needle, i) => {
    const before = sentences.slice(from, places[i]).join(" ");
    from = places[i]!;
    return [before, needle];
  });
  return [...parts, sentences.slice(from).join(" ")].filter((part) => part !== "").join(" ");
}

function inLines(random: Random, lines: readonly string[], needles: readonly string[]): string {
  const places = random.sample(Array.from(lines.keys()), needles.length).sort((a, b) => b - a);
  const all = [...lines];
  places.forEach((place, i) => all.splice(place, 0, needles[i]!));
  return all.join("\n");
}
