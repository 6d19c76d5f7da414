import type { Random } from "../../random.js";
import { NOISE } from "./niah.js";
import type { RulerMaker, RulerTask } from "./sample.js";

const HOPS = 4;
/** Lines of noise in the example that goes before: as many as RULER's bound of 500 tokens usually leaves. */
const EXAMPLE_LINES = 5;

/** RULER's variable tracking: one chain of four hops in noise, after an example that is solved. */
export const trackingTask: RulerTask = {
  fewest: HOPS + 1,
  maxNewTokens: 30,
  metric: "string_match_all",
  make: ((random, size) => {
    const example = chain(random, EXAMPLE_LINES, 3);
    const { text, value, names } = chain(random, size, 5);
    return { context: `${head(example.text)}${ask(example.value)}${prefix(example.value)} ${example.names.join(" ")}\n\n${head(text)}`, question: ask(value), answerPrefix: prefix(value), answers: names };
  }) satisfies RulerMaker,
};

const head = (text: string) => `Memorize and track the chain(s) of variable assignment hidden in the following text.\n\n${text}\n`;
const ask = (value: string) => `Question: Find all variables that are assigned the value ${value} in the text above.`;
const prefix = (value: string) => ` Answer: According to the chain(s) of variable assignment in the text above, ${HOPS + 1} variables are assigned the value ${value}, they are: `;

function chain(random: Random, lines: number, letters: number): { text: string; value: string; names: string[] } {
  const names: string[] = [];
  while (names.length <= HOPS) {
    const name = Array.from({ length: letters }, () => String.fromCharCode(65 + random.int(26))).join("");
    if (!names.includes(name)) names.push(name);
  }
  const value = String(random.between(10000, 99998));
  const assignments = names.map((name, i) => (i === 0 ? `VAR ${name} = ${value}` : `VAR ${name} = VAR ${names[i - 1]} `));
  const all = new Array<string>(lines).fill(NOISE);
  const places = random.sample(Array.from(all.keys()), assignments.length).sort((a, b) => a - b);
  places.forEach((place, i) => all.splice(place + i, 0, assignments[i]!));
  return { text: all.join("\n").replaceAll(". \n", ".\n"), value, names };
}
