import type { Random } from "../../random.js";
import { asManyAsFit, type Maker } from "./line.js";
import { digits, nouns, verbs } from "./words.js";

/** Small functions with numbers in them; some are to be written again, and what constants are is asked for. */
export const code: Maker = (random, source, budget) => {
  const write = random.pick([python, javascript]);
  const functions = new Map<string, { text: string; number: string }>();
  asManyAsFit(source, budget - 130, () => {
    const name = `${random.pick(verbs)}_${random.pick(nouns)}${random.next() < 0.3 ? `_${random.between(2, 9)}` : ""}`;
    const number = digits(random, random.between(2, 5));
    const text = functions.has(name) ? "" : `${write(random, name, number)}\n\n`;
    if (text) functions.set(name, { text, number });
    return text || "\n\n";
  });
  const names = random.sample([...functions.keys()], Math.min(functions.size, 3));
  const [again, ...others] = names;
  const told = others.map((name) => `The number in ${name} is ${functions.get(name)!.number}.`).join(" ");
  return {
    kind: "code",
    prompt: `${[...functions.values()].map(({ text }) => text).join("")}Write the function ${again} from the file above once more${others.length ? `, and say which number stands in ${others.join(" and in ")}` : ""}.`,
    response: `${functions.get(again!)!.text.trimEnd()}\n${told}`.trimEnd(),
  };
};

function python(random: Random, name: string, number: string): string {
  const argument = random.pick(nouns);
  const body = random.pick([
    `    return ${argument} * ${number}`,
    `    if ${argument} > ${number}:\n        return ${number}\n    return ${argument}`,
    `    total = ${number}\n    for item in ${argument}:\n        total += item\n    return total`,
    `    return [item for item in ${argument} if item != ${number}]`,
    `    ${argument} = max(${argument}, ${number})\n    return log(${argument})`,
  ]);
  return `def ${name}(${argument}):\n${body}`;
}

function javascript(random: Random, name: string, number: string): string {
  const argument = random.pick(nouns);
  const body = random.pick([
    `  return ${argument} % ${number};`,
    `  const limit = ${number};\n  return ${argument}.slice(0, limit);`,
    `  let sum = 0;\n  for (const item of ${argument}) sum += item * ${number};\n  return sum;`,
    `  if (${argument} === undefined) throw new Error("${number}");\n  return ${argument};`,
  ]);
  return `function ${name}(${argument}) {\n${body}\n}`;
}
