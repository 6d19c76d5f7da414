import { asManyAsFit, type Maker } from "./line.js";
import { colours, days, digits, givenNames, things, towns } from "./words.js";

const smallTalk = [
  "I could not sleep, the wind was so loud.", "Did you hear the bells this morning?", "My brother says it will rain for a week.", "I have not eaten since noon.",
  "That is what she told me, too.", "Well, we shall see about that.", "Shall I open the window?", "It was cheaper last year, if I remember rightly.",
  "I would rather walk than wait.", "You said the same thing yesterday.", "Nobody answers the door there.", "Let us talk about it after supper.",
  "He never told us why he left.", "The soup was too salty for me.", "I am glad that you came.", "My shoes are still wet.",
];

/** A conversation in which each speaker says what they plan, between small talk; the response says who plans what. */
export const dialogue: Maker = (random, source, budget) => {
  const speakers = random.sample(givenNames, random.between(2, Math.max(2, Math.min(5, Math.floor(budget / 120)))));
  const plans = speakers.map((name) => {
    const [day, town, thing] = [random.pick(days), random.pick(towns), `${random.pick(colours)} ${random.pick(things)}`];
    const price = digits(random, random.between(2, 4));
    return random.pick([
      { said: `On ${day} I am going to ${town} to sell the ${thing}.`, told: `${name} goes to ${town} on ${day} to sell the ${thing}.` },
      { said: `I paid ${price} crowns for a ${thing} in ${town}.`, told: `${name} paid ${price} crowns for a ${thing} in ${town}.` },
      { said: `Meet me in ${town} at gate ${price} on ${day}.`, told: `${name} will be in ${town} at gate ${price} on ${day}.` },
    ]);
  });
  const lines = asManyAsFit(source, budget - 48 * speakers.length, () => `${random.pick(speakers)}: ${random.pick(smallTalk)}\n`);
  const places = plans.map(() => random.int(lines.length + 1));
  plans.forEach(({ said }, i) => lines.splice(Math.min(places[i]!, lines.length), 0, `${speakers[i]}: ${said}\n`));
  return { kind: "dialogue", prompt: `${lines.join("")}\nWhat did each of them say about places, days and prices?`, response: random.sample(plans, plans.length).map(({ told }) => told).join(" ") };
};
